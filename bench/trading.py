"""What do trading applications reach, and what do stages win back?

*Book*: an hour of one stock (a LOBSTER message file beside the project, or a generated flow with its shares), pass after pass,
each on another instrument, by one worker; the same through three replicas, durable on a majority. *Instruments*: 1,000 of them,
popularity zipfian with exponent 1, by one worker and by two. *Exchange*: orders that reserve credit, of 10,000 clients, plain by
one worker and by two, and in stages by both: replies and events of all must be the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps import book, exchange
from bench._machine import machine
from bench._trading_execution import Contender, compare
from bench._trading_flow import Flow, flow_of_file, generated
from bench._trading_replicated import measure

QUESTION = "what do trading applications reach, and what do stages win back?"
FILE_RATE_MIN = 4_000_000
REPLICATED_RATE_MIN = 1_000_000
BOOK_RATIO_MIN = 1.6
PLAIN_RATIO_MIN = 0.95
STAGED_RATIO_MIN = 1.4


def run(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Everything once; engines that are compared execute the same parts in turn."""
    passes, runs, commands, parts = (3, 1, 20_000, 3) if quick else (37, 5, 2_000_000, 22)
    file_flow = flow_of_file(passes, 5_000 if quick else 10_000_000)
    say(f"{file_flow.name}: {file_flow.commands:,} commands a pass")
    one = compare([Contender("book, a file's flow", book.Book, 1, file_flow)], warm_ups=1)
    say(_said(one))
    books = compare(_books(commands, parts), warm_ups=1 if quick else 4)
    say(_said(books))
    exchanges = compare(_exchanges(commands, parts), warm_ups=1 if quick else 4)
    say(_said(exchanges))
    replicated = measure(file_flow, runs, say)
    result = {
        "bench": "trading",
        "question": QUESTION,
        "machine": machine(),
        "flow": file_flow.name,
        "commands_of_a_pass": file_flow.commands,
        "book": one,
        "instruments": books,
        "exchange": exchanges,
        "replicated": replicated,
    }
    return {**result, "targets": _targets(result)}


def _books(commands: int, parts: int) -> list[Contender]:
    flow = generated(book.Book, book.APPLICATION.workload, {"mix": "file"}, commands, parts)
    return [Contender("book, 1,000 instruments, zipfian", book.Book, workers, flow) for workers in (1, 2)]


def _exchanges(commands: int, parts: int) -> list[Contender]:
    def flow(owner: Any) -> Flow:
        return generated(owner, exchange.APPLICATION.workload, {}, commands, parts)

    plain, staged = flow(exchange.PlainExchange), flow(exchange.Exchange)
    return [
        Contender("exchange, plain", exchange.PlainExchange, 1, plain),
        Contender("exchange, plain", exchange.PlainExchange, 2, plain),
        Contender("exchange, staged", exchange.Exchange, 1, staged),
        Contender("exchange, staged", exchange.Exchange, 2, staged),
    ]


def _said(found: dict[str, Any]) -> str:
    return "; ".join(f"{row['contender']}, {row['workers']}: {row['commands_per_s']:,}/s" for row in found["rows"])


def _targets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What was to be reached, and what was found."""
    one, two = (row["commands_per_s"] for row in result["instruments"]["rows"])
    plain, plain_two, _, staged_two = (row["commands_per_s"] for row in result["exchange"]["rows"])
    found = [
        ("book, the file's flow, one worker, commands/s", FILE_RATE_MIN, result["book"]["rows"][0]["commands_per_s"]),
        ("book, the file's flow, three replicas, durable", REPLICATED_RATE_MIN, result["replicated"]["commands_per_s"]),
        ("book, 1,000 instruments: two workers over one", BOOK_RATIO_MIN, two / one),
        ("exchange, plain: two workers over one", PLAIN_RATIO_MIN, plain_two / plain),
        ("exchange, staged by two over plain by one", STAGED_RATIO_MIN, staged_two / plain),
    ]
    return [{"what": what, "bound": bound, "found": value, "is_met": value >= bound} for what, bound, value in found]


def table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rates, for people: the first row is the heading."""
    rows = [row for part in ("book", "instruments", "exchange") for row in result[part]["rows"]]
    lines = [
        (row["contender"], str(row["workers"]), _spread(row), str(row["batches_alone"]), str(row["batches_together"]))
        for row in rows
    ]
    replicated = ("book, a file's flow, 3 replicas, durable", "1", _spread(result["replicated"]), "", "")
    heading = ("flow", "workers", "commands/s, median (least … most)", "batches alone", "together")
    return [heading, *lines, replicated]


def _spread(row: dict[str, Any]) -> str:
    runs = row["runs_per_s"]
    return f"{row['commands_per_s']:,} ({min(runs):,} … {max(runs):,})"


def more_tables(result: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """The figures that were to be reached."""
    rows = [
        (each["what"], _number(each["bound"]), _number(each["found"]), "yes" if each["is_met"] else "no")
        for each in result["targets"]
    ]
    return {"to be reached": [("what", "at least", "found", "reached"), *rows]}


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def passed(result: dict[str, Any]) -> bool:
    """Whether all engines answered, told and kept the same."""
    compared = (result[part] for part in ("book", "instruments", "exchange"))
    same = all(each["same_answers"] and each["same_state"] for each in compared)
    return same and bool(result["replicated"]["same_state"])
