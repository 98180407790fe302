"""A history that has no order, as a picture: a page of HTML with a row a process and a bar an operation."""

from __future__ import annotations

from html import escape

from psmr.checking.recorded import Call
from psmr.checking.recorded_check import Judged
from psmr.checking.report import call_text, in_words, model_text
from psmr.checking.values import show

BEGINNING = "<!doctype html>\n<title>psmr check"
AROUND = 60
"""How many of the operations placed last are drawn; with them, what overlaps them."""
UNIT_PX, ROW_PX, LEFT_PX = 44, 30, 120

_STYLE = """
body { font: 14px system-ui, sans-serif; margin: 2em; color: #222 }
pre { background: #f4f4f4; padding: 1em; overflow-x: auto }
.line { position: relative; overflow-x: auto; border: 1px solid #ddd }
.bar { position: absolute; height: 22px; border-radius: 3px; padding: 2px 4px; box-sizing: border-box; overflow: hidden;
       white-space: nowrap; font-size: 12px; background: #ddd }
.placed { background: #b7dfb9 } .unplaceable { background: #f2a7a0; outline: 2px solid #b3261e }
.unknown { background-image: linear-gradient(90deg, transparent 60%, #fff) }
.process { position: absolute; left: 4px; font-size: 12px; line-height: 26px }
"""


def timeline(judged: Judged) -> str | None:
    """The page; None for a history of which nothing speaks against an order."""
    against = judged.verdict.counterexample or judged.verdict.suspicion
    if against is None:
        return None
    placed = {operation.invoked_us: number for number, operation in enumerate(against.prefix, 1)}
    blamed = {operation.invoked_us: model_text(reply) for operation, reply in against.unplaceable}
    shown = _shown(judged, [operation.invoked_us for operation in against.prefix[-AROUND:]], set(blamed))
    times = sorted({time for call in shown for time in (call.at, call.ended_at) if time is not None})
    columns = {time: column for column, time in enumerate(times)}
    rows = {process: row for row, process in enumerate(dict.fromkeys(call.begin.process for call in shown))}
    parts = [
        f'<div class="process" style="top:{row * ROW_PX}px">process {escape(str(process))}</div>'
        for process, row in rows.items()
    ]
    for call in shown:
        left = columns[call.at]
        right = len(columns) if call.ended_at is None else columns[call.ended_at]
        kind = "unplaceable" if call.at in blamed else "placed" if call.at in placed else "open"
        number = f"{placed[call.at]}. " if kind == "placed" else ""
        title = call_text(call) + (f", where the model {blamed[call.at]}" if call.at in blamed else "")
        parts.append(
            f'<div class="bar {kind}{"" if call.end else " unknown"}" title="{escape(title)}" style="'
            f"left:{LEFT_PX + left * UNIT_PX}px; top:{rows[call.begin.process] * ROW_PX}px; "
            f'width:{max(right - left, 1) * UNIT_PX - 2}px">{escape(number + _label(call))}</div>'
        )
    width, height = LEFT_PX + (len(columns) + 1) * UNIT_PX, len(rows) * ROW_PX + 20
    return (
        f'{BEGINNING}</title>\n<meta charset="utf-8">\n<style>{_STYLE}</style>\n<h1>A history without an order</h1>\n'
        "<p>Green operations have been placed, in the order of their numbers; red ones cannot follow; grey ones have not "
        "been placed. Time runs to the right, an event a step; hold the pointer over an operation for all of it.</p>\n"
        f'<div class="line"><div style="width:{width}px; height:{height}px">\n'
        + "\n".join(parts)
        + f"\n</div></div>\n<pre>{escape(in_words(judged))}</pre>\n"
    )


def _shown(judged: Judged, last: list[int], blamed: set[int]) -> list[Call]:
    """The calls placed last, those that cannot be placed, and of the same key what overlaps these in time."""
    against = judged.verdict.counterexample or judged.verdict.suspicion
    assert against is not None, "only what has no order is drawn"
    begin = min([*last, *blamed])
    end = max(judged.calls[at].ended_at or at for at in [*last, *blamed])
    members = {operation.invoked_us for operation in (*against.prefix, *(one for one, _ in against.unplaceable))}
    return [
        call
        for call in judged.calls.values()
        if call.at <= end
        and (call.ended_at is None or call.ended_at >= begin)
        and (call.at in members or _is_of(call, against.key))
    ]


def _is_of(call: Call, key: object) -> bool:
    if key is None:
        return True
    value = call.begin.value
    return call.begin.key == key or (isinstance(value, tuple) and len(value) == 2 and value[0] == key)


def _label(call: Call) -> str:
    value = call.end.value if call.end else call.begin.value
    return f"{call.begin.f} {show(value)}"
