"""Where output goes: results to stdout, for people as tables or for machines as JSON; everything else to stderr."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 140


def speak_any_encoding() -> None:
    """Have what the terminal cannot show stand as "?" instead of ending the program; stderr does so by itself."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def console() -> Console:
    """Stdout for people. In a pipe there is no width to keep to, so lines are not wrapped at 80 characters there."""
    from rich.console import Console

    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)


def say(text: str) -> None:
    """One line to stderr: news that is no result."""
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True, emoji=False).print(text, markup=False)


def say_error(text: str) -> None:
    """One line to stderr: what went wrong."""
    from rich.console import Console

    errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
    errors.print("psmr: ", style="bold red", end="", markup=False)
    errors.print(text, markup=False)


def bytes_text(size_bytes: int) -> str:
    """A size to be read: "512 B", "3.4 MiB"."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("the last unit takes every size")


def rate_text(per_second: float) -> str:
    """A rate to be read: "950", "12.3 k", "2.71 M"."""
    if per_second < 1000:
        return f"{per_second:.0f}"
    return f"{per_second / 1000:.1f} k" if per_second < 1e6 else f"{per_second / 1e6:.2f} M"
