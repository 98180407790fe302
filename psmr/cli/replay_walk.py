"""`psmr replay --step` in a terminal: Enter goes on, a number jumps, a name shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psmr.cli import replay_text as texts
from psmr.cli.exits import ExitCode
from psmr.cli.replay_run import lines
from psmr.errors import ConfigurationError
from psmr.replaying.documents import Shown, digest_text
from psmr.replaying.position import Position
from psmr.replaying.stepper import Stepper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psmr.cli.replay_run import Wishes
    from psmr.replaying.travel import Side

_HELP = "Enter: next command   N or N:row: go there   NAME[:KEY]: show it   q: end"


def walk(stepper: Stepper, side: Side, shown: Sequence[Shown], wishes: Wishes) -> int:
    """Ask and answer until the end; players that were made for a jump back are closed."""
    made: list[Stepper] = []
    lines([_HELP])
    try:
        while True:
            word = _asked(stepper)
            if word == "q":
                return ExitCode.OK
            try:
                stepper = _answer(word, stepper, side, shown, wishes, made)
            except ConfigurationError as error:
                lines([str(error)])
    finally:
        for each in made:
            each.player.close()


def _asked(stepper: Stepper) -> str:
    try:
        return input(f"{stepper.position}  {digest_text(stepper.digest)} > ").strip()
    except EOFError:
        return "q"


def _answer(
    word: str, stepper: Stepper, side: Side, shown: Sequence[Shown], wishes: Wishes, made: list[Stepper]
) -> Stepper:
    if not word:
        step = stepper.next(Position(side.folder.last))
        lines(["the log ends here"] if step is None else texts.step_lines(step))
    elif word[0].isdigit():
        position = Position.parse(word, "position")
        if position.index <= stepper.position.index:
            side.folder.origin_for(position.index)
            while made:
                made.pop().player.close()
            stepper = Stepper(side.player(position.index if position.row is None else position.index - 1))
            made.append(stepper)
        side.folder.origin_for(position.index)
        step = stepper.go_to(position)
        if step is not None:
            lines(texts.step_lines(step))
    else:
        lines(texts.shown_lines(Shown(word, stepper.player.engine.service), stepper.cells, wishes.limit))
        return stepper
    for each in shown:
        lines(texts.shown_lines(each, stepper.cells, wishes.limit))
    return stepper
