"""`--json [FILE]`: typer knows no option whose value may be left out, so the words are completed before it sees them."""

from __future__ import annotations

from collections.abc import Callable

from psmr.cli.arguments import benchmark_names, complete_service

STANDARD_OUTPUT = "-"


def _decoders() -> list[str]:
    from psmr.fuzzing import SUMMARIES

    return list(SUMMARIES)


_NAMES: dict[str, Callable[[], list[str]]] = {
    "bench": lambda: list(benchmark_names()),
    "chaos": lambda: complete_service(""),
    "fuzz": _decoders,
    "sim": list,
}
"""Commands whose `--json` takes a file or none, and what else may stand behind it: the names that they take."""
_SEVERAL = {"fuzz"}
"""Those that take several names: one behind `--json` is a name even if another stands before it."""


def complete_json(words: list[str]) -> list[str]:
    """The words with a `-` behind a `--json` that has no file."""
    if not words or words[0] not in _NAMES or "--json" not in words:
        return words
    place = words.index("--json")
    following = words[place + 1 : place + 2]
    names = _NAMES[words[0]]()
    is_named = words[0] not in _SEVERAL and any(word.partition(":")[0] in names for word in words[1:place])
    if following and not following[0].startswith("-") and (is_named or following[0].partition(":")[0] not in names):
        return words
    return [*words[: place + 1], STANDARD_OUTPUT, *words[place + 1 :]]
