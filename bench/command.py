"""`psmr bench NAME`: run one benchmark, print its tables, write its JSON, draw its curves.

A benchmark is a module with a `QUESTION`, `run(quick, say) -> result`, `table(result)` and `passed(result)`. It may have
`more_tables(result)`, each table by its title, `plots(result)`, and `page(result)`, a report as HTML.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

from bench._plot import check_drawable, draw
from psmr.cli.output import console
from psmr.errors import ConfigurationError
from psmr.files import check_place, write_whole
from psmr.json_output import JsonOutput

EXIT_FAILED = 1
_PAGE_STARTS = "<!DOCTYPE html>"


def run_bench(
    name: str, output: JsonOutput, quick: bool, plot_file: Path | None = None, page_file: Path | None = None
) -> int:
    """Run benchmark `name`; 0 when its answers were right as well as measured.

    Its curves are drawn to `plot_file`, or beside the file of `output`; its report goes to `page_file`. Raises
    ConfigurationError, before it measures, if `plot_file` or `page_file` cannot be written.
    """
    module = importlib.import_module(f"bench.{name}")
    if plot_file:
        _check_drawable(name, module, plot_file)
    if page_file:
        _check_page(name, module, page_file)
    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    result = module.run(quick, lambda text: progress.print(f"{name}: {text}", style="dim", markup=False))
    if not output.is_alone:
        _show(name, module, result)
    output.write(result)
    if output.file:
        progress.print(f"written to {output.file}", markup=False)
    if plot_file:
        _draw(module, result, plot_file, progress)
    elif hasattr(module, "plots") and not output.is_alone:
        _draw_beside(module, result, output.file, progress)
    if page_file:
        write_whole(page_file, module.page(result), what="a page", starts_with=_PAGE_STARTS)
        progress.print(f"page written to {page_file}", markup=False)
    return 0 if module.passed(result) else EXIT_FAILED


def _check_drawable(name: str, module: ModuleType, plot_file: Path) -> None:
    if not hasattr(module, "plots"):
        raise ConfigurationError(
            f"bench {name}: expected curves to draw, found a benchmark that has none: leave --plot out"
        )
    check_drawable(plot_file)


def _check_page(name: str, module: ModuleType, page_file: Path) -> None:
    if not hasattr(module, "page"):
        raise ConfigurationError(
            f"bench {name}: expected a report to write, found a benchmark that has none: leave --html out"
        )
    check_place(page_file, what="a page", starts_with=_PAGE_STARTS)


def _draw(module: ModuleType, result: dict[str, Any], plot_file: Path, progress: Console) -> None:
    draw(module.plots(result), plot_file)
    progress.print(f"drawn to {plot_file}", markup=False)


def _draw_beside(module: ModuleType, result: dict[str, Any], json_file: Path | None, progress: Console) -> None:
    """Draw unasked where a file was asked for; the figures are safe, so a drawing that fails is only said."""
    if json_file is None:
        progress.print("--plot FILE.svg draws its curves", style="dim", markup=False)
        return
    try:
        _draw(module, result, json_file.with_suffix(".svg"), progress)
    except ConfigurationError as error:
        progress.print(f"not drawn: {error}", markup=False)


def _show(name: str, module: ModuleType, result: dict[str, Any]) -> None:
    screen = console()
    _print_table(screen, f"{name}: {module.QUESTION}", module.table(result))
    if hasattr(module, "more_tables"):
        for title, rows in module.more_tables(result).items():
            _print_table(screen, title, rows)
    screen.print(" · ".join(f"{key} {value}" for key, value in result["machine"].items()))


def _print_table(screen: Console, title: str, rows: list[tuple[str, ...]]) -> None:
    heading, *others = rows
    table = Table(title=title, title_justify="left")
    for text in heading:
        table.add_column(text)
    for row in others:
        table.add_row(*row)
    screen.print(table)
