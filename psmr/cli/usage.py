"""Wrong usage in one line: what was expected, what was found, and where to read on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.exceptions import TyperException

from psmr.cli.exits import one_line

_EXPECTED: Mapping[str, str] = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "greater_than_equal": "{ge:g} or more",
    "less_than_equal": "{le:g} or less",
}
"""By what the parser of values calls a mistake: it says what it wants and keeps to itself what it was given."""


def usage_text(program: typer.Typer, words: Sequence[str], error: TyperException) -> str:
    """What to print for words that are no command line; empty where no command was given, for then help is shown already."""
    message = _value_text(error) or _missing_value_text(program, words, error)
    message = message or one_line(error.format_message()).rstrip(".")
    if not message:
        return ""
    context = getattr(error, "ctx", None)
    path = str(context.command_path) if context is not None else " ".join(["psmr", *command_of(program, words)[1]])
    return f"{message}: see {path} --help"


def command_of(program: typer.Typer, words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that the first words lead to, and those words; a group of commands where they lead no further."""
    command: Any = typer.main.get_command(program)
    path: list[str] = []
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
        path.append(word)
    return command, path


def _value_text(error: TyperException) -> str:
    """Of a value that is none: what it should be, and what it is."""
    parameter, cause = getattr(error, "param", None), getattr(error.__cause__, "errors", None)
    if parameter is None or cause is None:
        return ""
    found = cause()[0]
    expected = _EXPECTED.get(found["type"])
    if expected is None:
        return ""
    name = parameter.opts[0] if parameter.param_type_name == "option" else parameter.human_readable_name
    return f"{name}: expected {expected.format(**found.get('ctx', {}))}, found {found['input']!r}"


def _missing_value_text(program: typer.Typer, words: Sequence[str], error: TyperException) -> str:
    """Of an option that wants a value and stands at the end, which the parser says without a command to look it up in."""
    option = getattr(error, "option_name", None)
    if getattr(error, "ctx", None) is not None or option is None:
        return ""
    for parameter in command_of(program, words)[0].params:
        if option in parameter.opts:
            return f"{option}: expected {parameter.metavar or 'a value'} behind it, found nothing"
    return ""
