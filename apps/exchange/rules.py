"""What the exchange says beyond what a book does: reasons of its own, and its limits. Numbers that are part of the wire format."""

from __future__ import annotations

from enum import IntEnum


class Refusal(IntEnum):
    """Why a command was refused, beside `apps.book.rules.Reason`. The reply is the number with a minus; nothing has changed."""

    NO_CREDIT = 64
    """The gross limit leaves less than the order could cost at worst."""
    CLIENT_SUSPENDED = 65
    ABOVE_CEILING = 66
    """A price above the instrument's ceiling."""
    CREDIT_TO_BE_SETTLED = 67
    """The client has reserved `RESERVED_MAX` since it was last settled."""
    NEGATIVE_LIMIT = 68
    LIMIT_TOO_LARGE = 69
    """More than `LIMIT_MAX`."""
    LIMIT_BELOW_USED = 70
    """The new limit is less than what is used: release first, and suspend the client meanwhile."""
    CLIENT_OUT_OF_RANGE = 71
    ALREADY_SUSPENDED = 72
    NOT_SUSPENDED = 73
    CEILING_OUT_OF_RANGE = 74
    """A ceiling that is no price."""
    UNKNOWN_COUNTERPARTY = 75
    SAME_PARTY = 76
    COUNTERPARTY_SUSPENDED = 77
    COUNTERPARTY_NO_CREDIT = 78
    LINE_EXCEEDED = 79
    """What the client grants the counterparty leaves less than the trade."""
    COUNTERPARTY_LINE_EXCEEDED = 80
    TOO_MANY_CLIENTS = 81
    """More than `SETTLED_AT_ONCE_MAX` clients in one settlement, or some that there are no numbers for."""


CLIENTS = 16_384
"""Clients are numbered from 0."""
LIMIT_MAX = (1 << 53) - 1
RESERVED_MAX = 1 << 61
"""What a client may have reserved since its last settlement, given back or not."""
SETTLED_AT_ONCE_MAX = 1_024
