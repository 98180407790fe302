"""The part of a server proxy that has memory on its way: what the keys of the next rows lead to in large maps.

A key that a command depends on is taken to be a key of every map of its kind: that is so in most services, and where it is not
the processor has fetched a line in vain. Services without maps, or without commands that depend on keys, get none of it.
"""

from __future__ import annotations

from collections.abc import Callable

from cdep import Service
from proxies.layout import CommandLayout, Field, ServiceLayout

ROWS_AHEAD = 64
_MOST_TOUCHES = 4
"""Of a command: what fetches more than that would rather wait."""

_AHEAD = '''

@handler
def _touch_ahead(machine, frame, first, last):
    """Have on its way what the keys of this worker's rows, from `first` to before `last`, lead to."""
    records = load_i64(frame + FRAME_RECORDS)
    stride = load_i64(frame + FRAME_STRIDE)
    blob = load_i64(frame + FRAME_BLOB)
    owners = load_i64(frame + FRAME_OWNERS)
    mine = 1 << load_i64(frame + FRAME_WORKER)
    for row in range(first, last):
        if owners == 0 or load_u16(owners + 2 * row) & mine:
            record = records + stride * row
            op = load_u16(record)
{slots}
    for row in range(first, last):
        if owners == 0 or load_u16(owners + 2 * row) & mine:
            record = records + stride * row
            op = load_u16(record)
{entries}


@inlined
def _touches(machine):
    return {large}
'''

LOOK = f"""
{{indent}}if row >= touched:
{{indent}}    touched = min(row + {ROWS_AHEAD}, count)
{{indent}}    _touch_ahead(machine, frame, row, touched)"""


def maps_of(service: Service) -> list[str]:
    """The names of the service's maps."""
    return [name for name, text in service.state if text.startswith("Map(")]


def ahead_text(layout: ServiceLayout, argument: Callable[[Field], str]) -> str:
    """The functions `_touch_ahead` and `_touches`, or nothing; `argument` gives the expression that decodes a field."""
    maps = maps_of(layout.service)
    touched = {
        command.command.op: [(name, argument(field)) for field in _keys(command) for name in maps][:_MOST_TOUCHES]
        for command in layout.commands
    }
    if not any(touched.values()):
        return ""
    large = " or ".join(f"is_large(machine.{name})" for name in maps)
    return _AHEAD.format(slots=_cases("touch_slot", touched), entries=_cases("touch_entry", touched), large=large)


def _keys(command: CommandLayout) -> list[Field]:
    """The fields that the command depends on."""
    parameters = {key.parameter for key in command.command.dependencies}
    return [field for field in command.fields if field.name in parameters]


def _cases(function: str, touched: dict[int, list[tuple[str, str]]]) -> str:
    """Commands with equal keys in equal places share a case."""
    ops: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for op, touches in touched.items():
        if touches:
            ops.setdefault(tuple(touches), []).append(op)
    lines: list[str] = []
    for keys, alike in ops.items():
        condition = " or ".join(f"op == {op}" for op in alike)
        lines.append(f"            {'elif' if lines else 'if'} {condition}:")
        lines += [f"                {function}(machine.{name}, {key})" for name, key in keys]
    return "\n".join(lines)
