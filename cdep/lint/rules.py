"""The codes of findings: what each means, why replicas would differ, and the cure. docs/LINT.md is made of this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding. Its code is stable: comments in services name it."""

    code: str
    title: str
    why: str
    cure: str


RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        Rule(
            "clock",
            "a clock, or the machine's time zone by way of one",
            "every replica executes the command at a time of its own, and once more after a restart",
            "use self.now_us, the time at which the command was ordered, or take the time as an argument",
        ),
        Rule(
            "random",
            "random numbers, random identifiers, generators that are not seeded or outlive the command",
            "every replica draws other numbers",
            "draw at the client and pass it as an argument, or seed a generator of the command's own: random.Random(seed) "
            "with a seed made of arguments and declared state",
        ),
        Rule(
            "id",
            "id()",
            "it is an address in the memory of one process",
            "compare or key by what identifies the value: a declared key or a number kept in state",
        ),
        Rule(
            "hash",
            "hash() of str, bytes or an object",
            "Python salts it anew in every process, and an object's default hash is its address",
            "use a hash that is the same everywhere: zlib.crc32, hashlib.blake2b, or the value itself",
        ),
        Rule(
            "environment",
            "environment variables, arguments, platform, user, locale, time zone, working directory, versions",
            "it is what one machine or process was started with",
            "pass it as an argument of a command, or make it a constant in the service's source",
        ),
        Rule(
            "file",
            "files and folders",
            "each machine has its own, and reading or writing may fail on one alone",
            "read the file at the client and pass its content; keep what must last in declared state",
        ),
        Rule(
            "network",
            "sockets, requests, databases",
            "the answer differs, comes late or not at all, and the request is made once for every replica",
            "make the request at the client and pass the answer as an argument",
        ),
        Rule(
            "thread",
            "threads, processes of multiprocessing, signals, locks",
            "what runs beside the handler comes first on one replica and last on another",
            "compute in the handler itself; independent commands run in parallel already",
        ),
        Rule(
            "process",
            "other programs and processes",
            "it depends on what is installed and running on one machine",
            "run it at the client and pass its result as an argument",
        ),
        Rule(
            "input",
            "input() and standard input",
            "what is typed at one replica reaches only that one",
            "take it as an argument of the command",
        ),
        Rule(
            "set-order",
            "the order of a set: iteration, list(), pop(), unpacking, text, sorting by a key that may tie",
            "a set's order follows from salted hashes and from its past: it differs from process to process",
            "iterate over sorted(the_set), or keep a list or a dict, which have the order of insertion",
        ),
        Rule(
            "float-order",
            "floats added up in no fixed order: sum() over a set, BLAS (dot, matmul, @, linalg), prange, fastmath",
            "float addition is not associative: the last bits depend on the order, which hashes, threads or the processor choose",
            "add integers of fixed scale, use math.fsum, which is exact in any order, or sum over a sorted list",
        ),
        Rule(
            "float-math",
            "functions of the machine's mathematical library: exp, log, sin, pow, float ** x",
            "only + - * / and sqrt are rounded alike everywhere; the last bit of others depends on library and processor",
            "compute at the client and pass the result, use integers of fixed scale, or write x * x for x ** 2",
        ),
        Rule(
            "nan",
            "floats that may be NaN: compared for equality, put in order (min, max, sort), used as keys",
            "a NaN equals nothing, itself included, and has no place in an order: what comes out depends on the arguments' order, "
            "and interpreted and compiled handlers differ",
            "refuse it first (if x != x: raise ValueError), compare integers of fixed scale, or key by integers",
        ),
        Rule(
            "global",
            "module variables and closure variables that are changed, iterators kept in them",
            "it is no replicated state: every worker has its own, and a restart or a snapshot forgets it",
            "declare it as state: Map, Array or Table",
        ),
        Rule(
            "class-attribute",
            "class attributes that are changed",
            "the class is no replicated state: every worker has its own, and a restart or a snapshot forgets it",
            "declare it as state: Map, Array or Table",
        ),
        Rule(
            "attribute",
            "attributes of self outside declared state: set, or what they hold changed",
            "it is no replicated state: every worker has its own, and a restart or a snapshot forgets it",
            "declare it as state: Map, Array or Table; Scratch for what one command needs",
        ),
        Rule(
            "kept",
            "generators, iterators and closures kept on self",
            "it goes on from where one worker left it, and no snapshot can hold it",
            "keep the position as a number in declared state and compute what follows from it",
        ),
        Rule(
            "default",
            "a mutable default argument",
            "it is made once in each process and remembers earlier calls, which a restart or a snapshot forgets",
            "use None as the default and make the list or dict in the function",
        ),
        Rule(
            "swallowed",
            "bare and broad except without raise, suppress(Exception), return in finally, machine-dependent exceptions caught",
            "what one machine alone meets (no memory, recursion, a signal, a full disk) becomes a different result",
            "catch the exception that the state can cause, such as KeyError, or let it out: the engine undoes the command",
        ),
        Rule(
            "finalizer",
            "__del__, weakref, gc, atexit",
            "when an object goes is up to each process's memory",
            "do it where the object's use ends, by a plain call",
        ),
        Rule(
            "address",
            "the text of an object that has none of its own",
            "it contains the object's address in the memory of one process",
            "define __repr__ or __str__, or format the fields themselves",
        ),
        Rule(
            "is",
            "`is` on numbers, text or bytes",
            "whether equal values are one object depends on caches of the interpreter and on compiled or interpreted execution",
            "compare with == or !=",
        ),
        Rule(
            "async",
            "async, await and their libraries",
            "an event loop orders what it runs by when things arrive at one machine",
            "write a plain sequential function",
        ),
        Rule(
            "dynamic",
            "code that cannot be read beforehand: eval, exec, importlib, ctypes, frames",
            "what it does depends on text or memory that no check sees",
            "write the code out, or dispatch through a dict of functions",
        ),
        Rule(
            "import",
            "a module first imported inside a handler",
            "its code runs in the middle of a command, on each replica at another one, and was not looked at",
            "import it at the top of the module",
        ),
        Rule(
            "allowance",
            "a comment that allows without a reason, or a code that does not exist",
            "nobody can tell later whether it was looked at",
            "write # psmr: allow CODE - REASON, with a code of this table",
        ),
    )
}
