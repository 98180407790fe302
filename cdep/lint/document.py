"""The tables of docs/LINT.md, made of the rules themselves."""

from __future__ import annotations

from cdep.lint.names import CODE_OF, HARMLESS, SEEDED
from cdep.lint.rules import RULES

BEGIN = "<!-- made of cdep/lint/rules.py and cdep/lint/names.py: change it there -->"


def tables() -> str:
    """Each code with what it finds, why replicas would differ and the cure; then the names known of libraries."""
    rows = [f"| `{rule.code}` | {rule.title} | {rule.why} | {rule.cure} |" for rule in RULES.values()]
    named = [f"| `{code}` | {_names(code)} |" for code in RULES if any(code == of for of in CODE_OF.values())]
    enough = [f"| `{name}` | `{code}` | {count} |" for name, (code, count) in SEEDED.items()]
    return "\n".join(
        [
            BEGIN,
            "",
            "## Codes",
            "",
            "| code | finds | why replicas would differ | cure |",
            "|---|---|---|---|",
            *rows,
            "",
            "## Names",
            "",
            "A name stands for everything below it; the longest that fits decides.",
            "",
            "| code | names |",
            "|---|---|",
            *named,
            f"| none | {_names(HARMLESS)} |",
            "",
            "Found only when called with fewer arguments than this:",
            "",
            "| name | code | arguments |",
            "|---|---|---|",
            *enough,
            "",
        ]
    )


def _names(code: str) -> str:
    return " ".join(f"`{name.removeprefix('builtins.')}`" for name, of in CODE_OF.items() if of == code)
