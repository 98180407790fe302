"""The parts of a server proxy that a service with early stages has instead of others: who owns which stage, and the run."""

from __future__ import annotations

from collections.abc import Callable

from cdep import Command, Dependency, Service
from proxies.layout import CommandLayout, Field, ServiceLayout
from proxies.source import enclosed

ROUTE = """        if table != 0:
            if exact or early & (early - 1) or main & (main - 1):
                if early == 0:
                    early = main & -main
                main = EXACT
                synchronous += 1
            store_u16(owners + 4 * row, early)
            store_u16(owners + 4 * row + 2, main)"""
"""The end of admission's look at a row: `early` and `main` are the workers that its stages belong to."""

RUN = '''

@inlined
def _execute(machine, frame, record, blob, row):
    op = load_u16(record)
    if is_early(frame):
{early_cases}
    if is_main(frame):
{main_cases}


@compiled
def run(frame, bases):
    """Execute what is published until the replica ends.

    A handler's exception leaves through here: the caller undoes and re-enters.
    """
    machine = _machine(frame, bases)
    while begin_staged(frame):
        row = load_i64(frame + FRAME_ROW)
        records = load_i64(frame + FRAME_RECORDS)
        stride = load_i64(frame + FRAME_STRIDE)
        blob = load_i64(frame + FRAME_BLOB)
        row = seek_stage(frame, row)
        while row >= 0:
            _execute(machine, frame, records + stride * row, blob, row)
            row = seek_stage(frame, row + 1)
        if row < -1:
            return
        finish(frame)
'''

_EARLY = """

_early_of_{name} = handler({qualname}.{method})
_carried_to_{name} = carried_writer(_layouts[{op}].command)


@handler
def _begin_{name}(machine, frame, record, blob, row):
    open_early(frame, row){emitting}
{call}
    _carried_to_{name}(frame, row, value)
"""

_EMITTING = "begin_stage_events(frame, row)"

Argument = Callable[[Field], str]
Group = Callable[[Service, Command, dict[str, Field], Dependency], str]


def early_text(layout: ServiceLayout, command: CommandLayout, argument: Argument, *, emits: bool) -> str:
    """The functions for a command's early stage, or nothing."""
    stage = command.command.early
    if stage is None:
        return ""
    fields = {field.name: field for field in command.fields}
    name = command.command.name
    arguments = ["machine", *(argument(fields[parameter]) for parameter in stage.parameters)]
    call = enclosed(4, f"value = _early_of_{name}", arguments, "")
    return _EARLY.format(
        name=name,
        qualname=layout.service.qualname,
        method=stage.method,
        op=command.command.op,
        call=call,
        emitting=f"\n    {_EMITTING}" if emits else "",
    )


def staged_run(layout: ServiceLayout, *, emits: bool) -> str:
    """The function `run`."""
    early = [_early_case(command, emits=emits) for command in layout.commands]
    main = [_main_case(command, emits=emits) for command in layout.commands]
    return RUN.format(early_cases=_cases(early), main_cases=_cases(main))


def _cases(bodies: list[list[str]]) -> str:
    lines: list[str] = []
    for op, body in enumerate(bodies):
        if body:
            lines.append(f"        {'elif' if lines else 'if'} op == {op}:")
            lines += [f"            {line}" for line in body]
    return "\n".join(lines) or "        pass"


def _early_case(command: CommandLayout, *, emits: bool) -> list[str]:
    name = command.command.name
    if command.command.early is not None:
        return [f"_begin_{name}(machine, frame, record, blob, row)"]
    return _whole_command(command, "open_early_reply", emits=emits) if command.command.stage == "early" else []


def _main_case(command: CommandLayout, *, emits: bool) -> list[str]:
    if command.command.stage == "early":
        return []
    lines = _whole_command(command, "open_main_reply", emits=emits)
    if command.command.early is None:
        return lines
    return ["if not has_ended(frame, row):", *(f"    {line}" for line in lines)]


def _whole_command(command: CommandLayout, opening: str, *, emits: bool) -> list[str]:
    carried = ", carried_to(frame, row)" if command.command.early else ""
    return [
        f"reply = {opening}(frame, row, REPLY_STRIDE)",
        *([_EMITTING] if emits else []),
        f"folded = _execute_{command.command.name}(machine, frame, record, blob, reply{carried})",
        "close_whole_reply(frame, folded)",
    ]


def stage_owners(service: Service, command: CommandLayout, group: Group) -> list[str]:
    """The lines of admission that say which workers own the stages of a row, and whether it is exact."""
    found, fields = command.command, {field.name: field for field in command.fields}

    def owners(dependencies: list[Dependency]) -> str:
        groups = dict.fromkeys(group(service, found, fields, key) for key in dependencies)
        return " | ".join(f"owner_of(table, {each})" for each in groups)

    if found.kind == "dependent":
        return ["early = owner_of(table, ALL_GROUPS)", "exact = True"]
    early = [key for key in found.touched if key.domain in service.early_domains]
    main = [key for key in found.touched if key.domain not in service.early_domains]
    lines = [f"early = {owners(early)}"] if early else []
    if main:
        lines.append(f"main = {owners(main)}")
    elif found.stage != "early":
        lines.append("main = owner_of(table, row & 63)")
    return [*lines, *(["exact = True"] if found.stage == "exact" else [])]
