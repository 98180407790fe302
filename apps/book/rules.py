"""What a book's commands may say, and what they answer: limits, codes and reasons. Numbers that are part of the wire format."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

Number = Any
"""A whole number in a handler: an argument of any width, a stored value or a literal; all are seen as 64 bits."""

INSTRUMENTS = 4_096
CLIENTS = 65_536
ORDERS = 16_384
"""How many orders may rest in one book."""
TICKS = 262_144
"""Prices are 1 … TICKS − 1."""
QUANTITY_MAX = 1_000_000_000
SWEEP_MAX = 512
"""How many resting orders one command may fill or cancel: what it says of them fits a command's events."""
PAGE_LEVELS = 64


class Side(IntEnum):
    """Which side of the book."""

    BUY = 1
    SELL = 2


class Kind(IntEnum):
    """What becomes of an order that is not filled at once."""

    DAY = 0
    """It rests."""
    IMMEDIATE = 1
    """The remainder is cancelled (IOC)."""
    FILL_OR_KILL = 2
    """It is rejected unless all of it is filled at once (FOK)."""
    POST_ONLY = 3
    """It rests; it is rejected if any of it would be filled at once."""


class Prevention(IntEnum):
    """What happens where an order would trade with one of the same client."""

    NONE = 0
    """They trade."""
    CANCEL_RESTING = 1
    CANCEL_INCOMING = 2
    """What is left of the incoming order is cancelled."""
    CANCEL_BOTH = 3


class Status(IntEnum):
    """Of an instrument."""

    UNLISTED = 0
    TRADING = 1
    HALTED = 2


class Why(IntEnum):
    """Why an order, or what was left of it, was cancelled."""

    ASKED = 1
    MASS = 2
    IMMEDIATE = 3
    """It was not to rest, and found no more to trade with at its price."""
    SELF_MATCH = 4
    SWEEP = 5
    """It had traded with as many orders as one command may."""


class Reason(IntEnum):
    """Why a command was rejected. The reply is the reason with a minus; nothing has changed."""

    UNKNOWN_INSTRUMENT = 1
    UNKNOWN_CLIENT = 2
    INSTRUMENT_HALTED = 3
    MARKET_HALTED = 4
    UNKNOWN_SIDE = 5
    UNKNOWN_KIND = 6
    UNKNOWN_PREVENTION = 7
    PRICE_NOT_POSITIVE = 8
    PRICE_TOO_HIGH = 9
    QUANTITY_NOT_POSITIVE = 10
    QUANTITY_TOO_LARGE = 11
    DUPLICATE_ORDER = 12
    """An order with that number rests in that book."""
    BOOK_FULL = 13
    WOULD_TRADE = 14
    """Post-only, and the other side of the book is at its price."""
    NOT_FILLABLE = 15
    """Fill-or-kill, and not all of it could be filled."""
    NOTHING_TO_TRADE_WITH = 16
    """A market order, and the other side of the book is empty."""
    ORDER_NOT_RESTING = 17
    """It was filled, cancelled, or never there."""
    NOT_OWN_ORDER = 18
    REPLACE_BEYOND_LIMITS = 19
    """The new price or quantity is none that an order may have."""
    ALREADY_LISTED = 20
    ALREADY_REGISTERED = 21
    ALREADY_HALTED = 22
    NOT_HALTED = 23
