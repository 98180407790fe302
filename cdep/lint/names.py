"""Names of the standard library and of common packages, by the code of what is wrong with them in a handler.

A name stands for everything below it: `socket` for `socket.create_connection`. The longest name that fits decides, and
`HARMLESS` is one too. Names in `SEEDED` are wrong only when called with fewer arguments than the number given.
"""

from __future__ import annotations

HARMLESS = ""

_BY_CODE = {
    "clock": """
        time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns time.process_time
        time.process_time_ns time.thread_time time.thread_time_ns time.clock_gettime time.clock_gettime_ns time.localtime
        time.ctime time.sleep datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today
        timeit sched os.times pandas.Timestamp.now pandas.Timestamp.utcnow pandas.Timestamp.today pendulum.now
        pendulum.today arrow.now arrow.utcnow email.utils.localtime""",
    "random": """
        random secrets numpy.random uuid.uuid1 uuid.uuid4 uuid.uuid6 uuid.uuid7 uuid.uuid8 uuid.getnode os.urandom
        os.getrandom ssl.RAND_bytes torch.rand torch.randn torch.randint torch.randperm faker""",
    "environment": """
        os sys.argv sys.orig_argv sys.platform sys.version sys.version_info sys.hexversion sys.executable sys.path
        sys.modules sys.prefix sys.flags sys.implementation sys.hash_info sys.thread_info sys.getsizeof sys.getrefcount
        sys.getrecursionlimit sys.setrecursionlimit sys.getallocatedblocks sys.getswitchinterval
        sys.getfilesystemencoding sys.getdefaultencoding sys.warnoptions sys._xoptions
        platform locale getpass pwd grp sysconfig site gettext
        resource psutil time.tzname time.timezone time.altzone time.daylight time.mktime time.tzset zoneinfo
        datetime.date.fromtimestamp traceback importlib.metadata dotenv argparse optparse getopt
        logging.getLevelName socket.gethostname socket.getfqdn""",
    "file": """
        builtins.open io.open io.FileIO codecs.open pathlib tempfile shutil glob fileinput mmap sqlite3 shelve dbm
        linecache filecmp fcntl importlib.resources numpy.load numpy.save numpy.savez numpy.loadtxt numpy.savetxt
        numpy.genfromtxt numpy.fromfile numpy.memmap pandas.read_csv pandas.read_json pandas.read_parquet
        pandas.read_excel zipfile.ZipFile tarfile.open gzip.open bz2.open lzma.open
        os.open os.read os.write os.close os.listdir os.scandir os.stat os.lstat os.fstat os.walk os.remove os.unlink
        os.rename os.replace os.mkdir os.makedirs os.rmdir os.removedirs os.access os.truncate os.ftruncate os.fsync
        os.link os.symlink os.readlink os.chmod os.chown os.utime os.statvfs os.path.exists os.path.lexists
        os.path.isfile os.path.isdir os.path.islink os.path.ismount os.path.getsize os.path.getmtime os.path.getatime
        os.path.getctime os.path.realpath os.path.samefile""",
    "network": """
        socket ssl socketserver select selectors http.client http.server urllib.request urllib3 requests httpx aiohttp
        ftplib smtplib poplib imaplib nntplib telnetlib xmlrpc zmq websocket websockets grpc paramiko boto3 botocore
        redis pymongo psycopg psycopg2 pymysql MySQLdb sqlalchemy kafka confluent_kafka pika nats etcd3 kazoo
        webbrowser""",
    "thread": "threading _thread concurrent multiprocessing signal queue numba.set_num_threads numba.get_num_threads",
    "process": """
        subprocess pty pexpect os.fork os.forkpty os.kill os.killpg os.system os.popen os.abort os._exit os.nice
        os.execl os.execle os.execlp os.execv os.execve os.execvp os.posix_spawn os.posix_spawnp os.spawnl os.spawnv os.wait
        os.waitpid os.startfile""",
    "input": "builtins.input sys.stdin fileinput.input",
    "id": "builtins.id",
    "float-order": """
        numpy.dot numpy.vdot numpy.inner numpy.matmul numpy.tensordot numpy.einsum numpy.linalg numpy.convolve
        numpy.correlate numpy.cov numpy.corrcoef numpy.polyfit numba.prange scipy.linalg torch.matmul""",
    "float-math": """
        math.acos math.acosh math.asin math.asinh math.atan math.atan2 math.atanh math.cbrt math.cos math.cosh math.dist
        math.erf math.erfc math.exp math.exp2 math.expm1 math.gamma math.hypot math.lgamma math.log math.log10 math.log1p
        math.log2 math.pow math.sin math.sinh math.tan math.tanh cmath
        numpy.arccos numpy.arccosh numpy.arcsin numpy.arcsinh numpy.arctan numpy.arctan2 numpy.arctanh numpy.cbrt
        numpy.cos numpy.cosh numpy.exp numpy.exp2 numpy.expm1 numpy.hypot numpy.log numpy.log10 numpy.log1p numpy.log2
        numpy.float_power numpy.sin numpy.sinh numpy.tan numpy.tanh numpy.logaddexp""",
    "finalizer": "weakref _weakref gc atexit",
    "async": "asyncio anyio trio curio gevent eventlet",
    "dynamic": """
        builtins.eval builtins.exec builtins.compile builtins.__import__ builtins.globals importlib.import_module
        importlib.reload ctypes cffi inspect.stack inspect.currentframe sys._getframe runpy code""",
    HARMLESS: """
        random.Random numpy.random.default_rng numpy.random.RandomState numpy.random.Generator numpy.random.SeedSequence
        numpy.random.PCG64 numpy.random.PCG64DXSM numpy.random.MT19937 numpy.random.Philox numpy.random.SFC64
        pathlib.PurePath pathlib.PurePosixPath pathlib.PureWindowsPath os.path os.sep os.altsep os.extsep os.pathsep
        os.curdir os.pardir os.fspath os.PathLike""",
}

CODE_OF: dict[str, str] = {name: code for code, names in _BY_CODE.items() for name in names.split()}

SEEDED: dict[str, tuple[str, int]] = {
    "random.Random": ("random", 1),
    "numpy.random.default_rng": ("random", 1),
    "numpy.random.RandomState": ("random", 1),
    "numpy.random.SeedSequence": ("random", 1),
    "numpy.random.PCG64": ("random", 1),
    "numpy.random.PCG64DXSM": ("random", 1),
    "numpy.random.MT19937": ("random", 1),
    "numpy.random.Philox": ("random", 1),
    "numpy.random.SFC64": ("random", 1),
    "time.gmtime": ("clock", 1),
    "time.asctime": ("clock", 1),
    "time.strftime": ("clock", 2),
    "email.utils.formatdate": ("clock", 1),
    "datetime.datetime.fromtimestamp": ("environment", 2),
}
"""Deterministic when told enough: name → the code, and how many arguments are enough."""

KEEP_DRAWING = ("random.Random", "numpy.random.Generator", "numpy.random.RandomState")
"""Generators: harmless as a command's own, wrong when they outlive it."""

SAME_MODULE = {
    "posix": "os",
    "nt": "os",
    "posixpath": "os.path",
    "ntpath": "os.path",
    "genericpath": "os.path",
    "_io": "io",
    "_random": "random",
    "_socket": "socket",
    "_datetime": "datetime",
    "_pydatetime": "datetime",
    "_operator": "operator",
    "_locale": "locale",
    "_signal": "signal",
    "_asyncio": "asyncio",
    "_ctypes": "ctypes",
    "_queue": "queue",
    "_weakrefset": "weakref",
    "pathlib._local": "pathlib",
    "numpy.random.mtrand": "numpy.random",
    "numpy.random._generator": "numpy.random",
    "numpy.random.bit_generator": "numpy.random",
    "numpy.random._pcg64": "numpy.random",
    "numpy.random._philox": "numpy.random",
    "numpy.random._mt19937": "numpy.random",
    "numpy.random._sfc64": "numpy.random",
}
"""Where a thing says it comes from → under which name it is known."""

BROAD_EXCEPTIONS = frozenset(
    {Exception, BaseException, MemoryError, RecursionError, OSError, SystemError, KeyboardInterrupt, SystemExit}
)
"""Caught, they make a result of what only one machine met. Subclasses of OSError are meant too."""

_MUTATORS = """
    add append appendleft clear discard extend extendleft fill insert intersection_update pop popitem popleft put
    remove reverse rotate setdefault setfield sort symmetric_difference_update difference_update update write
    writelines send throw close __setitem__ __delitem__ __setattr__ __next__"""
MUTATORS = frozenset(_MUTATORS.split())
"""Methods that change what they are called on."""
