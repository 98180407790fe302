"""`psmr bench NAME`: run one benchmark, print its table, write its JSON."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

from psmr.cli.files import write_whole

EXIT_FAILED = 1
STANDARD_OUTPUT = Path("-")


def run_bench(name: str, json_file: Path | None, quick: bool) -> int:
    """Run benchmark `name`; 0 when its answers were right as well as measured."""
    module = importlib.import_module(f"bench.{name}")
    progress = Console(stderr=True)
    result = module.run(quick, lambda text: progress.print(f"{name}: {text}", style="dim", highlight=False))
    if json_file == STANDARD_OUTPUT:
        print(json.dumps(result, indent=2))
    else:
        _show(name, module, result)
        if json_file:
            write_whole(json_file, json.dumps(result, indent=2) + "\n", what="measurements", starts_with="{")
            progress.print(f"written to {json_file}", highlight=False)
    return 0 if module.passed(result) else EXIT_FAILED


def _show(name: str, module: ModuleType, result: dict[str, Any]) -> None:
    console = Console()
    heading, *rows = module.table(result)
    table = Table(title=f"{name}: {module.QUESTION}", title_justify="left")
    for text in heading:
        table.add_column(text)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(" · ".join(f"{key} {value}" for key, value in result["machine"].items()), highlight=False)
