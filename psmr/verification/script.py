"""A refutation as a Python script that shows it again, on its own."""

from __future__ import annotations

from psmr.verification.machine import FIRST_STAMP_US, Call
from psmr.verification.shrinking import Refutation

BEGINNING = '"""Two calls whose order matters'

_TEXT = '''\
{beginning} although {claim}. Written by `psmr cdep verify {service}`.

{explanation}
"""

from psmr.services import find_service
from psmr.verification.machine import Call, TracedMachine
{imports}

BEFORE = [
{before}]
FIRST = {first}
SECOND = {second}

machine = TracedMachine(find_service("{service}"))
for call in BEFORE:
    print(call.command, call.arguments, "->", machine.call(call).reply)
{comparison}
print("\\n".join(found) or "no difference shows when one runs after the other; both touch the same cell")
'''

_IMPORTS = "from psmr.verification.orders import both_orders, differences"
_COMPARISON = """\
straight, reverse = both_orders(machine, FIRST, SECOND)
for title, order in (("first, then second", straight), ("second, then first", reverse)):
    print(f"{title}:")
    print("   ", FIRST.command, FIRST.arguments, "->", order.first.reply)
    print("   ", SECOND.command, SECOND.arguments, "->", order.second.reply)
    print("    state:", {f"{cell.container}[{cell.key!r}]": value for cell, value in order.state.items()})
found = differences(FIRST, SECOND, straight, reverse)"""

_IMPORTS_OF_STAGES = "from psmr.verification.passing import stage_differences"
_COMPARISON_OF_STAGES = """\
found = stage_differences(machine, {kind!r}, FIRST, SECOND)
for call in (FIRST, SECOND):
    print(call.command, call.arguments, "->", machine.call(call).reply, "in the order of the log")"""


def script_of(service: str, found: Refutation, explanation: list[str]) -> str:
    """The script; `service` is what `find_service` finds the class by. The same refutation gives the same text."""
    is_of_stages = found.kind is not None
    return _TEXT.format(
        beginning=BEGINNING,
        claim="nothing orders their stages" if is_of_stages else "C-Dep does not order them",
        imports=_IMPORTS_OF_STAGES if is_of_stages else _IMPORTS,
        comparison=_COMPARISON_OF_STAGES.format(kind=found.kind) if is_of_stages else _COMPARISON,
        service=service,
        explanation="\n".join(explanation).replace("\\", "\\\\").replace('"""', "'''"),
        before="".join(f"    {_source(call)},\n" for call in found.before),
        first=_source(found.first),
        second=_source(found.second),
    )


def _source(call: Call) -> str:
    arguments = ", ".join(_value(value) for value in call.arguments)
    values = f"({arguments},)" if len(call.arguments) == 1 else f"({arguments})"
    stamp = "" if call.now_us == FIRST_STAMP_US else f", now_us={call.now_us}"
    return f"Call({call.command!r}, {values}{stamp})"


def _value(value: object) -> str:
    return f'float("{value!r}")' if isinstance(value, float) and not abs(value) < float("inf") else repr(value)
