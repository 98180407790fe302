"""Random numbers, hashes, environment, files, network, threads: one fault a service, marked at its line, `# fault CLASS: CODE`."""

from __future__ import annotations

import getpass
import locale
import math
import os
import platform
import random
import secrets
import socket
import subprocess
import sys
import threading
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import time as now
from typing import Annotated

import numpy as np
from numpy.random import default_rng

from psmr import Max, StateMachine, dependent, partially_dependent, u64

Word = Annotated[bytes, Max(16)]
RNG = random.Random(7)


class Dice(StateMachine):
    @partially_dependent("key")
    def roll(self, key: u64) -> u64:
        return u64(random.randrange(6))  # fault Dice: random


class UnseededGenerator(StateMachine):
    @partially_dependent("key")
    def roll(self, key: u64) -> u64:
        return u64(Random().randrange(6))  # fault UnseededGenerator: random


class GeneratorThatIsKept(StateMachine):
    @partially_dependent("key")
    def roll(self, key: u64) -> u64:
        return u64(RNG.randrange(6))  # fault GeneratorThatIsKept: random


class NumpyRandom(StateMachine):
    @partially_dependent("key")
    def roll(self, key: u64) -> u64:
        return u64(np.random.randint(6))  # fault NumpyRandom: random


class NumpyGenerator(StateMachine):
    @partially_dependent("key")
    def roll(self, key: u64) -> u64:
        return u64(default_rng().integers(6))  # fault NumpyGenerator: random


class Secret(StateMachine):
    @partially_dependent("key")
    def token(self, key: u64) -> Word:
        return secrets.token_bytes(16)  # fault Secret: random


class Identifier(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> Word:
        return uuid.uuid4().bytes  # fault Identifier: random


class SystemRandomness(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> Word:
        return os.urandom(16)  # fault SystemRandomness: random


class AddressOfAnObject(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(id(key))  # fault AddressOfAnObject: id


class SaltedHash(StateMachine):
    @partially_dependent("key")
    def make(self, key: Word) -> u64:
        return u64(hash(key) & 255)  # fault SaltedHash: hash


class HashOfATuple(StateMachine):
    @partially_dependent("key")
    def make(self, key: Word) -> u64:
        return u64((key, b"x").__hash__() & 255)  # fault HashOfATuple: hash


class Environment(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(os.environ["HOME"]))  # fault Environment: environment


class EnvironmentByFunction(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(os.getenv("HOME", "")))  # fault EnvironmentByFunction: environment


class Arguments(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(sys.argv))  # fault Arguments: environment


class Machine(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(platform.node()))  # fault Machine: environment


class WhoRunsIt(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(getpass.getuser()))  # fault WhoRunsIt: environment


class Locale(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(locale.currency(5)))  # fault Locale: environment


class WorkingDirectory(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(os.getcwd()))  # fault WorkingDirectory: environment


class OpensAFile(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        with open("table.txt") as file:  # fault OpensAFile: file
            return u64(len(file.read()))


class ReadsAPath(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(len(Path("table.txt").read_bytes()))  # fault ReadsAPath: file


class Connects(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        with socket.create_connection(("rates", 80)) as link:  # fault Connects: network
            return u64(link.recv(1)[0])


class Requests(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(urllib.request.urlopen("http://rates").status)  # fault Requests: network


class StartsAThread(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> None:
        threading.Thread(target=stamp_nothing).start()  # fault StartsAThread: thread


def stamp_nothing() -> None:
    return None


class RunsAProgram(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(subprocess.run(["true"]).returncode)  # fault RunsAProgram: process


class AsksAPerson(StateMachine):
    @partially_dependent("key")
    def make(self, key: u64) -> u64:
        return u64(int(input()))  # fault AsksAPerson: input


class PathByAnotherName(StateMachine):
    @dependent
    def make(self, key: u64) -> bool:
        return os.path.exists("table.txt")  # fault PathByAnotherName: file


class InsideALambda(StateMachine):
    @dependent
    def make(self, word: Word) -> u64:
        return u64(sorted(word, key=lambda byte: byte ^ id(word))[0])  # fault InsideALambda: id


class Many(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        value = id(key)  # fault Many: id
        value += int(now())  # fault Many: clock
        value += random.getrandbits(3)  # fault Many: random
        value += hash(b"x")  # fault Many: hash
        value += len(os.environ)  # fault Many: environment
        value += int(math.sin(1.0))  # fault Many: float-math
        return u64(value)


class Addressed:
    def __repr__(self) -> str:
        return f"<{id(self)}>"  # fault TextThatHoldsAnAddress: id


class TextThatHoldsAnAddress(StateMachine):
    @dependent
    def make(self, key: u64) -> Word:
        return str(Addressed()).encode()[:16]


@dataclass
class Ticket:
    number: uuid.UUID = field(default_factory=uuid.uuid1)  # fault DefaultFactory: random
    lots: list[int] = field(default_factory=list)


class DefaultFactory(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(Ticket().number.int & 3)
