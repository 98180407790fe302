"""Power that goes at any moment."""

from __future__ import annotations


class PowerCut(Exception):
    """The power of one replica went in the middle of what it did."""
