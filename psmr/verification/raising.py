"""What handlers raised, and where: of a command that never succeeds it is all that a search has to show."""

from __future__ import annotations

from dataclasses import dataclass, replace

from psmr.verification.cells import Place
from psmr.verification.wording import place_text

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Raised:
    """What one line raised: `Type: message` of the first time, the line as `file:number`, and how often that type."""

    text: str
    where: str
    times: int


class Raises:
    """What every command raised, by line and type."""

    def __init__(self) -> None:
        self._found: dict[str, dict[tuple[str, Place | None], Raised]] = {}

    def add(self, command: str, text: str, place: Place | None) -> None:
        """One call of the command has raised."""
        of_command = self._found.setdefault(command, {})
        key = (text.partition(":")[0], place)
        found = of_command.get(key) or Raised(text, place_text(place) if place else "its reply", 0)
        of_command[key] = replace(found, times=found.times + 1)

    def by_command(self) -> dict[str, list[Raised]]:
        """Of each command that raised anything: what, the most frequent first."""
        return {
            name: sorted(found.values(), key=lambda raised: (-raised.times, raised.where))
            for name, found in self._found.items()
        }


def place_of(error: BaseException) -> Place | None:
    """The line of the handler, or of what it calls in the same file, that raised; None where no handler was under way."""
    trace = error.__traceback__.tb_next if error.__traceback__ else None
    found = None
    own = trace.tb_frame.f_code.co_filename if trace else ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == own:
            found = Place(code.co_filename, trace.tb_lineno, code.co_name)
        trace = trace.tb_next
    return found


def raised_text(raised: list[Raised]) -> str:
    """The most frequent of them, in one line."""
    shown = [f"{one.text} ({one.where}{f', {one.times} times' if len(raised) > 1 else ''})" for one in raised[:_SHOWN]]
    return "; ".join([*shown, *([f"and {len(raised) - _SHOWN} others"] if len(raised) > _SHOWN else [])])
