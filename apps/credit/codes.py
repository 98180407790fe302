"""What the credit matrix answers: done, or why not."""

from __future__ import annotations

from enum import IntEnum


class Answer(IntEnum):
    """The reply of every command that changes something. All but `DONE` are refusals: nothing has changed then."""

    DONE = 0
    ZERO_AMOUNT = 1
    NEGATIVE_AMOUNT = 2
    AMOUNT_TOO_LARGE = 3
    """More than `AMOUNT_MAX`."""
    UNKNOWN_CLIENT = 4
    UNKNOWN_COUNTERPARTY = 5
    SAME_PARTY = 6
    """Client and counterparty are one."""
    CLIENT_SUSPENDED = 7
    COUNTERPARTY_SUSPENDED = 8
    CLIENT_GROSS_EXCEEDED = 9
    """The client's gross limit leaves less than the amount."""
    COUNTERPARTY_GROSS_EXCEEDED = 10
    CLIENT_LINE_EXCEEDED = 11
    """What the client grants the counterparty leaves less than the amount."""
    COUNTERPARTY_LINE_EXCEEDED = 12
    """What the counterparty grants the client does."""
    MORE_THAN_USED = 13
    """A release or settlement of more than is reserved between the two."""
    SETTLED_TOO_LARGE = 14
    """The sum of all that a client ever settled would pass `SETTLED_MAX`."""
    NEGATIVE_LIMIT = 15
    LIMIT_TOO_LARGE = 16
    """More than `AMOUNT_MAX`."""
    LIMIT_BELOW_USED = 17
    """The new limit is less than what is used: release first, and suspend the client meanwhile."""
    CLIENT_OUT_OF_RANGE = 18
    """A number for which the matrix has no row."""
    ALREADY_SUSPENDED = 19
    NOT_SUSPENDED = 20


class Change(IntEnum):
    """What a command changes, or would have changed: in the events `changed` and `rejected`."""

    RESERVE = 1
    RELEASE = 2
    SETTLE = 3
    GROSS = 4
    LINE = 5
    SUSPEND = 6
    REINSTATE = 7


CLIENTS = 1_024
"""Clients are numbered from 0; each row of the matrix has a line for every client."""
AMOUNT_MAX = (1 << 53) - 1
"""The largest amount and the largest limit; so sums over all clients stay within 64 bits."""
SETTLED_MAX = (1 << 63) - 1
