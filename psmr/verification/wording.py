"""Words that several explanations use."""

from __future__ import annotations

import os
from pathlib import Path

from psmr.verification.cells import Place

VERBS = {"read": "reads", "add": "adds to", "write": "writes"}


def place_text(place: Place) -> str:
    """A line of a file, the path as short as it can be said from here; and the function, where it is a helper."""
    path = Path(place.path)
    here = Path(os.path.relpath(path)) if path.is_absolute() else path
    shown = path if here.parts[:1] == ("..",) else here
    return f"{shown}:{place.line}"
