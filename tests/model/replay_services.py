"""Services whose logs are played: every container, an early branch in one of two versions, and a handler that reads the machine."""

from __future__ import annotations

import os

from cdep import Max, Size, StateMachine, dependent, i64, partially_dependent, u8, u32, u64
from psmr import Array, Event, Map, Table

RARE = 97


class Ledger(StateMachine, version=3):
    """Accounts by number and by name."""

    balances: Map[u64, i64] = Map(u64, i64, capacity=4096)
    names: Map[bytes, bytes] = Map(Max(16), Max(24), capacity=1024)
    flags: Array[u8] = Array(u8, capacity=1000)
    orders: Table = Table(capacity=500, price=i64, side=u8, owner=Size(5))
    moved: Event = Event(account=u64, amount=i64)
