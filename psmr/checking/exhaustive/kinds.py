"""What an operation of an enumerated history does."""

from __future__ import annotations

READ, WRITE, CAS, LOST_WRITE, LOST_CAS = range(5)
"""Of the lost ones it is unknown whether they did, and nothing follows them."""
LOST = frozenset((LOST_WRITE, LOST_CAS))
