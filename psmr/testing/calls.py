"""Services and calls as a test writes them: checked, with one line for what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from random import Random
from typing import Any

from cdep import Service, StateMachine, service_of
from proxies.encoding import Encoded, joined
from proxies.layout import layout_of
from psmr.checking import Operation
from psmr.client.commands import CommandProxy
from psmr.errors import ConfigurationError, InvalidCall
from psmr.testing.asked import whole
from psmr.verification.examples import example_calls
from psmr.verification.machine import Call
from psmr.verification.pools import Pools
from psmr.workload import Application

Written = Call | Operation | tuple[Any, ...]
"""A call in a test: `("deposit", 1, 5)`; one of a history will do."""

_ROUND = 24


def owner_of(given: object) -> type[StateMachine]:
    """The service's class: given itself, or as an application. Raises ConfigurationError for anything else."""
    if isinstance(given, Application):
        return given.service
    if isinstance(given, type) and issubclass(given, StateMachine) and given is not StateMachine:
        return given
    found = f"the class {given.__name__}" if isinstance(given, type) else f"{given!r:.60}"
    cure = f"give the class, {type(given).__name__}" if isinstance(given, StateMachine) else "give such a class"
    raise ConfigurationError(f"expected a service, a class based on psmr.StateMachine, found {found}: {cure}")


class Calls:
    """The calls of one service: from what a test writes to what can be executed or sent."""

    def __init__(self, given: type[StateMachine] | Application) -> None:
        self.owner = owner_of(given)
        self.service: Service = service_of(self.owner)
        self._application = given if isinstance(given, Application) else None
        self.layout = layout_of(self.service)
        self.proxies = {each.command.name: CommandProxy(self.service, each) for each in self.layout.commands}

    def proxy(self, command: object) -> CommandProxy:
        """How a command travels. Raises InvalidCall for one that the service does not have."""
        if isinstance(command, str) and command in self.proxies:
            return self.proxies[command]
        close = get_close_matches(str(command), self.proxies, n=1)
        cure = f"did you mean {close[0]}?" if close else "name one of them"
        raise InvalidCall(
            f"{self.service.name}: expected one of its commands ({', '.join(self.proxies)}), found {command!r}: {cure}"
        )

    def read(self, written: Written) -> Call:
        """A call that the service has, with arguments that fit. Raises InvalidCall."""
        if isinstance(written, Call):
            call = written
        elif isinstance(written, Operation):
            call = Call(written.command, written.arguments)
        elif isinstance(written, tuple) and written:
            call = Call(written[0], tuple(written[1:]))
        else:
            raise InvalidCall(
                f'{self.service.name}: expected a call such as ("{next(iter(self.proxies))}", ...), found {written!r:.60}: '
                "give the command's name and its arguments"
            )
        self.proxy(call.command).one(call.arguments)
        return call

    def read_all(self, written: object) -> list[Call]:
        """Each of them."""
        if isinstance(written, str | bytes) or not isinstance(written, Iterable):
            raise InvalidCall(f"{self.service.name}: expected a list of calls, found {written!r:.60}: give one")
        return [self.read(each) for each in written]

    def wanted(self, written: Iterable[Written] | int, random: Random) -> list[Call]:
        """The calls given, or so many made up. Raises ConfigurationError and InvalidCall for what is neither."""
        if isinstance(written, Iterable):
            return self.read_all(written)
        return self.generated(whole("calls, a list of them or how many to make up", written, 1), random)

    def encoded(self, calls: Sequence[Call]) -> Encoded:
        """Calls as a batch."""
        parts: list[Encoded] = []
        base = 0
        for call in calls:
            proxy = self.proxies[call.command]
            one = proxy.one(call.arguments)
            parts.append(Encoded(proxy.rebase(one.records, base), 1, one.blob))
            base += len(one.blob)
        return joined(parts)

    def generated(self, count: int, random: Random) -> list[Call]:
        """So many calls with arguments that meet: few values, the code's own constants, and what an application's workload has."""
        application = self._application
        examples = [] if application is None else example_calls(application, self.service, random.randrange(1 << 30))
        pools = Pools(self.owner, self.service, examples, random)
        names = [command.name for command in self.service.commands]
        found: list[Call] = []
        while len(found) < count:
            palette = pools.palette()
            for _ in range(min(_ROUND, count - len(found))):
                call = Call(*palette.call(random.choice(names))[:2])
                palette.learn(call.arguments)
                found.append(call)
        return found
