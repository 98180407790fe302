"""Pieces of generated Python, laid out so that `ruff format` leaves them alone at any line length from 88 up.

What would be longer than 88 columns goes one element a line with a trailing comma, which formatters never join again.
(A command whose name alone takes more than 30 letters may still be laid out anew.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH = 88


def enclosed(indent: int, before: str, elements: Sequence[str], after: str) -> str:
    """`before(elements)after`, in one line or with a line for each element."""
    margin = " " * indent
    line = f"{margin}{before}({', '.join(elements)}){after}"
    if len(line) <= WIDTH or not elements:
        return line
    return "\n".join([f"{margin}{before}(", *(f"{margin}    {element}," for element in elements), f"{margin}){after}"])


def docstring(indent: int, text: str) -> str:
    """A docstring of any text."""
    margin = " " * indent
    lines = [line.rstrip() for line in text.strip().splitlines()]
    content = "\n".join(f"{margin}{line}" if line else "" for line in lines).strip()
    content = content.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if content.endswith('"'):
        content = content[:-1] + '\\"'
    return f'{margin}"""{content}\n{margin}"""' if len(lines) > 1 else f'{margin}"""{content}"""'


def blocks(parts: Iterable[str], blank_lines: int) -> str:
    """Parts with blank lines between them."""
    return ("\n" * (blank_lines + 1)).join(parts)


def free_name(wanted: str, taken: set[str], mark: str = "_") -> str:
    """The name, or the name with as many marks after it as it takes to be free; it is taken from then on."""
    while wanted in taken:
        wanted += mark
    taken.add(wanted)
    return wanted
