"""The text of a service's server proxy: admission, routing, decoding and dispatch, as compiled Python."""

from __future__ import annotations

import re

from cdep import Command, Dependency, Service
from cdep.service import COMMUTATIVE
from proxies.ahead_text import LOOK, ahead_text
from proxies.layout import RAISED_TEXT_LIMIT, CommandLayout, Field, ServiceLayout, layout_of
from proxies.source import enclosed
from proxies.staged_text import ROUTE, early_text, stage_owners, staged_run

_SUPPORT = (
    "ALL_GROUPS",
    "FRAME_BLOB",
    "FRAME_COUNT",
    "FRAME_OWNERS",
    "FRAME_RECORDS",
    "FRAME_ROW",
    "FRAME_STRIDE",
    "FRAME_WORKER",
    "begin",
    "begin_events",
    "blob_argument",
    "blob_fits",
    "byte_value_at",
    "close_reply",
    "close_whole_reply",
    "compiled",
    "constructor",
    "finish",
    "group_of_blob",
    "group_of_fixed",
    "group_of_integer",
    "handler",
    "inlined",
    "is_large",
    "load_f64",
    "load_i8",
    "load_i16",
    "load_i32",
    "load_i64",
    "load_u8",
    "load_u16",
    "load_u32",
    "load_u64",
    "np",
    "open_reply",
    "owner_of",
    "reply_writer",
    "seek",
    "store_i64",
    "store_u16",
    "store_u32",
    "touch_entry",
    "touch_slot",
)
"""What a server proxy may need of `psmr.execution.dispatch`; it imports what it uses."""
_STAGED_SUPPORT = (
    "EXACT",
    "begin_stage_events",
    "begin_staged",
    "carried_to",
    "carried_writer",
    "has_ended",
    "is_early",
    "is_main",
    "open_early",
    "open_early_reply",
    "open_main_reply",
    "seek_stage",
)
"""What one with early stages may need of `psmr.execution.staged_dispatch`."""

_HEADER = '''"""Server proxy of {name}. Generated from {module}:{qualname}; do not edit, the next generation overwrites it.

Fingerprint {fingerprint:016x}. Records of up to {stride} bytes, replies of {reply_stride}.

    admit(…)            check every record of a batch, and say which workers own each row
    run(frame, bases)   what a worker does until its replica ends: decode, execute, reply, meet others where rows ask for it
"""

{imports}

FINGERPRINT = 0x{fingerprint:016X}
REPLY_STRIDE = {reply_stride}

_layouts = layout_of(service_of({qualname})).commands
_machine = constructor({qualname})
'''

_ADMIT = '''

@compiled
def admit(records, stride, count, blob, blob_bytes, table, owners, totals):
    """The first row that no replica may execute, or -1.

    `table` (0: one worker, nothing to route) holds the owners of each group and, last, all workers; `owners` takes those of
    each row. `totals` takes two words: the most bytes that the replies' blob can need, and the rows that need several workers.
    """
    reply_bytes = 0
    synchronous = 0
    for row in range(count):
        record = records + stride * row
        op = load_u16(record)
{nobody}
{cases}
        else:
            return row
{route}
    store_i64(totals, reply_bytes)
    store_i64(totals + 8, synchronous)
    return -1
'''

_NOBODY = "        owner = 0"
_NOBODY_STAGED = """        early = 0
        main = 0
        exact = False"""
_ROUTE = """        if table != 0:
            store_u16(owners + 2 * row, owner)
            if owner & (owner - 1):
                synchronous += 1"""

_ARRANGE = '''

@compiled
def arrange(records, stride, count, blob, rows):
    """Put the numbers of an admitted batch's rows, 4 bytes each, in the order of execution: commands of one group first."""
    first = 0
    last = count
    for row in range(count):
        record = records + stride * row
        op = load_u16(record)
        several = False
{cases}
        if several:
            last -= 1
            store_u32(rows + 4 * last, row)
        else:
            store_u32(rows + 4 * first, row)
            first += 1
    last = count - 1
    while first < last:
        row = load_u32(rows + 4 * first)
        store_u32(rows + 4 * first, load_u32(rows + 4 * last))
        store_u32(rows + 4 * last, row)
        first += 1
        last -= 1
'''

_RUN = '''

@inlined
def _execute(machine, frame, record, blob, row):
    reply = open_reply(frame, row, REPLY_STRIDE){emitting}
    op = load_u16(record)
    folded = np.uint64(0)
{cases}
    {close}(frame, folded)


@compiled
def run(frame, bases):
    """Execute what is published until the replica ends.

    A handler's exception leaves through here: the caller undoes and re-enters.
    """
    machine = _machine(frame, bases)
    while begin(frame):
        row = load_i64(frame + FRAME_ROW)
        count = load_i64(frame + FRAME_COUNT)
        records = load_i64(frame + FRAME_RECORDS)
        stride = load_i64(frame + FRAME_STRIDE)
        blob = load_i64(frame + FRAME_BLOB){start}
        if load_i64(frame + FRAME_OWNERS) == 0:
            while row < count:{look}
                _execute(machine, frame, records + stride * row, blob, row)
                row += 1
        else:
            row = seek(frame, row)
            while row >= 0:{look}
                _execute(machine, frame, records + stride * row, blob, row)
                row = seek(frame, row + 1)
            if row < -1:
                return
        finish(frame)
'''


def server_text(service: Service) -> str:
    """The server proxy's source; the same service gives the same bytes."""
    layout = layout_of(service)
    parts = [_command(layout, command) for command in layout.commands]
    nobody, route = (_NOBODY_STAGED, ROUTE) if service.is_staged else (_NOBODY, _ROUTE)
    cases = "\n".join(_admission(service, command) for command in layout.commands)
    parts.append(_ADMIT.format(cases=cases, nobody=nobody, route=route))
    if service.order == COMMUTATIVE:
        parts.append(_ARRANGE.format(cases="\n".join(_arrangement(service, command) for command in layout.commands)))
    if service.is_staged:
        parts.append(staged_run(layout, emits=declares_events(service)))
    else:
        ahead = ahead_text(layout, _argument)
        parts += [ahead, _run(layout, looks_ahead=bool(ahead))]
    body = "".join(parts)
    return _header(service, layout, body) + body


def _run(layout: ServiceLayout, *, looks_ahead: bool) -> str:
    cases = "\n".join(_dispatch(command) for command in layout.commands)
    emits = declares_events(layout.service)
    emitting = "\n    begin_events(frame, row)" if emits else ""
    close = "close_whole_reply" if emits else "close_reply"
    if not looks_ahead:
        return _RUN.format(cases=cases, emitting=emitting, close=close, start="", look="")
    start = "\n        touched = row if _touches(machine) else count"
    return _RUN.format(cases=cases, emitting=emitting, close=close, start=start, look=LOOK.format(indent=" " * 16))


def declares_events(service: Service) -> bool:
    """Whether a service's commands may emit events."""
    return any(text.startswith("Event(") for _, text in service.state)


def _header(service: Service, layout: ServiceLayout, body: str) -> str:
    staged = _import("psmr.execution.staged_dispatch", _STAGED_SUPPORT, body) if service.is_staged else []
    imports = [
        "from cdep import service_of",
        "from proxies.layout import layout_of",
        *_import("psmr.execution.dispatch", _SUPPORT, body),
        *staged,
        "",
        f"from {service.module} import {service.qualname.split('.')[0]}",
    ]
    return _HEADER.format(
        imports="\n".join(imports),
        name=service.name,
        module=service.module,
        qualname=service.qualname,
        fingerprint=service.fingerprint,
        stride=layout.stride,
        reply_stride=layout.reply_stride,
    )


def _import(module: str, names: tuple[str, ...], body: str) -> list[str]:
    used = [name for name in names if name == "constructor" or re.search(rf"\b{name}\b", body)]
    return [f"from {module} import (", *(f"    {name}," for name in used), ")"]


def _command(layout: ServiceLayout, command: CommandLayout) -> str:
    name, op = command.command.name, command.command.op
    arguments = ["machine", *(_argument(field) for field in command.fields)]
    carried = ""
    if command.command.early is not None:
        arguments.append("carried")
        carried = ", carried"
    return f"""

_{name} = handler({layout.service.qualname}.{name})
_reply_to_{name} = reply_writer(_layouts[{op}].command, _layouts[{op}].reply_offset)


@handler
def _execute_{name}(machine, frame, record, blob, reply{carried}):
{enclosed(4, f"value = _{name}", arguments, "")}
    return _reply_to_{name}(frame, reply, value)
{early_text(layout, command, _argument, emits=declares_events(layout.service))}"""


def _argument(field: Field) -> str:
    """The expression that decodes one argument as the handler sees it."""
    kind, offset = field.type.kind, field.offset
    if kind == "bytes":
        return f"blob_argument(record, {offset}, blob)"
    if kind == "fixed":
        return f"byte_value_at(record + {offset}, {field.type.limit})"
    if kind == "bool":
        return f"load_u8(record + {offset}) != 0"
    load = f"load_{field.type.name}(record + {offset})"
    return load if field.type.size_bytes == 8 else f"np.int64({load})"


def _case(op: int, body: list[str], indent: str) -> str:
    lines = body or ["pass"]
    return "\n".join([f"{indent}{'if' if op == 0 else 'elif'} op == {op}:", *(f"{indent}    {line}" for line in lines)])


def _dispatch(command: CommandLayout) -> str:
    return _case(
        command.command.op, [f"folded = _execute_{command.command.name}(machine, frame, record, blob, reply)"], "    "
    )


def _admission(service: Service, command: CommandLayout) -> str:
    checks = [f"if stride < {command.stride}:", "    return row"] if command.stride > 8 else []
    checks += [check for field in command.fields for check in _checks(field)]
    reply = command.command.reply
    most = max(RAISED_TEXT_LIMIT, reply.limit if reply is not None and reply.kind == "bytes" else 0)
    owners = stage_owners(service, command, _group) if service.is_staged else [f"owner = {_owner(service, command)}"]
    routing = ["if table != 0:", *(f"    {line}" for line in owners)]
    return _case(command.command.op, [*checks, f"reply_bytes += {most}", *routing], "        ")


def _arrangement(service: Service, command: CommandLayout) -> str:
    return _case(command.command.op, [f"several = {_several(service, command)}"], "        ")


def _several(service: Service, command: CommandLayout) -> str:
    """The expression for whether a row goes to several groups."""
    if command.command.kind != "partial":
        return str(command.command.kind == "dependent")
    first, *others = _groups(service, command)
    if "ALL_GROUPS" in (first, *others):
        return "True"
    return " or ".join(f"{first} != {other}" for other in others) or "False"


def _checks(field: Field) -> list[str]:
    if field.type.kind == "bytes":
        return [f"if not blob_fits(record, {field.offset}, blob_bytes, {field.type.limit}):", "    return row"]
    if field.type.kind == "bool":
        return [f"if load_u8(record + {field.offset}) > 1:", "    return row"]
    return []


def _owner(service: Service, command: CommandLayout) -> str:
    """The expression for the workers that own a row: C-G, then the replica's own table."""
    if command.command.kind == "independent":
        return "owner_of(table, row & 63)"
    if command.command.kind == "dependent":
        return "owner_of(table, ALL_GROUPS)"
    return " | ".join(f"owner_of(table, {group})" for group in _groups(service, command))


def _groups(service: Service, command: CommandLayout) -> list[str]:
    """The expressions for the groups of a partially dependent row, each once."""
    fields = {field.name: field for field in command.fields}
    return list(dict.fromkeys(_group(service, command.command, fields, key) for key in command.command.dependencies))


def _group(service: Service, command: Command, fields: dict[str, Field], key: Dependency) -> str:
    if key.domain in service.spread_reads:
        return "row & 63" if key.access == "read" else "ALL_GROUPS"
    field = fields[key.parameter]
    if field.type.kind == "bytes":
        return f"group_of_blob(record, {field.offset}, blob)"
    if field.type.kind == "fixed":
        return f"group_of_fixed(record, {field.offset}, {field.type.limit})"
    return f"group_of_integer({_argument(field)})"
