"""The group of a key, for handlers: state that a group owns may be laid out by it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cdep.compiled import int64, overloaded, types
from cdep.hashing import group_of_u64
from psmr.state.access import key_bits


def group_of_key(key: Any) -> int:
    """The group, 0 to 63, of an integer key.

    What commands write that depend on different keys of one group is written by one worker at a time, in log order.
    """
    group: int = int64(group_of_u64(key_bits(key)))
    return group


@overloaded(group_of_key)
def _group_of_key(key: Any) -> Any:
    if not isinstance(key, types.Integer):
        return None
    return lambda key: int64(group_of_u64(np.uint64(key)))
