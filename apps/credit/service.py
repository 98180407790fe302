"""A credit matrix: what each client may owe in all, and what each two clients may owe each other."""

from __future__ import annotations

from apps.credit.codes import AMOUNT_MAX, CLIENTS, SETTLED_MAX, Answer, Change
from psmr import Array, Event, StateMachine, Table, dependent, i64, partially_dependent, u8, u16, u32, u64

# Numbers of a reply's type, which compiled handlers take for constants.
DONE = u16(Answer.DONE)
ZERO_AMOUNT = u16(Answer.ZERO_AMOUNT)
NEGATIVE_AMOUNT = u16(Answer.NEGATIVE_AMOUNT)
AMOUNT_TOO_LARGE = u16(Answer.AMOUNT_TOO_LARGE)
UNKNOWN_CLIENT = u16(Answer.UNKNOWN_CLIENT)
UNKNOWN_COUNTERPARTY = u16(Answer.UNKNOWN_COUNTERPARTY)
SAME_PARTY = u16(Answer.SAME_PARTY)
CLIENT_SUSPENDED = u16(Answer.CLIENT_SUSPENDED)
COUNTERPARTY_SUSPENDED = u16(Answer.COUNTERPARTY_SUSPENDED)
CLIENT_GROSS_EXCEEDED = u16(Answer.CLIENT_GROSS_EXCEEDED)
COUNTERPARTY_GROSS_EXCEEDED = u16(Answer.COUNTERPARTY_GROSS_EXCEEDED)
CLIENT_LINE_EXCEEDED = u16(Answer.CLIENT_LINE_EXCEEDED)
COUNTERPARTY_LINE_EXCEEDED = u16(Answer.COUNTERPARTY_LINE_EXCEEDED)
MORE_THAN_USED = u16(Answer.MORE_THAN_USED)
SETTLED_TOO_LARGE = u16(Answer.SETTLED_TOO_LARGE)
NEGATIVE_LIMIT = u16(Answer.NEGATIVE_LIMIT)
LIMIT_TOO_LARGE = u16(Answer.LIMIT_TOO_LARGE)
LIMIT_BELOW_USED = u16(Answer.LIMIT_BELOW_USED)
CLIENT_OUT_OF_RANGE = u16(Answer.CLIENT_OUT_OF_RANGE)
ALREADY_SUSPENDED = u16(Answer.ALREADY_SUSPENDED)
NOT_SUSPENDED = u16(Answer.NOT_SUSPENDED)

RESERVED, RELEASED, SETTLED, GROSS_SET, LINE_SET, SUSPENSION, REINSTATEMENT = (u8(change) for change in Change)
UNKNOWN, ACTIVE, SUSPENDED = range(3)
BOTH = ("client", "counterparty")
Number = int | u32 | i64
"""An argument, or a number made of arguments: handlers see all of them as whole numbers of 64 bits."""


class Credit(StateMachine):
    """Clients and their lines. What is used never exceeds a limit, at no position of the log.

    `lines` has a row for each two clients: row `client × CLIENTS + counterparty` is the client's, and says what it grants
    the counterparty. What is reserved between two is used in both their rows, and in both their gross limits.
    """

    changed = Event(client=u32, counterparty=u32, amount=i64, change=u8)
    rejected = Event(client=u32, counterparty=u32, amount=i64, change=u8, reason=u16)
    """`change`: a `Change`. `amount`: the limit, of one that sets it. Where there is no counterparty the client stands for it."""

    status = Array(u8, capacity=CLIENTS)
    clients = Table(capacity=CLIENTS, limit=i64, used=i64, settled=i64)
    lines = Table(capacity=CLIENTS * CLIENTS, block=CLIENTS, limit=i64, used=i64)

    @partially_dependent(*BOTH, domain="client")
    def reserve(self, client: u32, counterparty: u32, amount: i64) -> u16:
        """Use `amount` of both gross limits and of the lines between the two, or refuse."""
        return self._told(client, counterparty, amount, RESERVED, self._reserve(client, counterparty, amount))

    @partially_dependent(*BOTH, domain="client")
    def release(self, client: u32, counterparty: u32, amount: i64) -> u16:
        """Give back `amount` of what is reserved between the two, suspended or not."""
        return self._told(client, counterparty, amount, RELEASED, self._release(client, counterparty, amount))

    @partially_dependent(*BOTH, domain="client")
    def settle(self, client: u32, counterparty: u32, amount: i64) -> u16:
        """As release, because the two have paid: the amount counts as settled by both."""
        return self._told(client, counterparty, amount, SETTLED, self._settle(client, counterparty, amount))

    @partially_dependent("client")
    def set_gross(self, client: u32, limit: i64) -> u16:
        """Set what the client may use in all; the first time makes it known. Refused below what is used."""
        return self._told(client, client, limit, GROSS_SET, self._set_gross(client, limit))

    @partially_dependent(*BOTH, domain="client", access={"counterparty": "read"})
    def set_line(self, client: u32, counterparty: u32, limit: i64) -> u16:
        """Set what the client grants the counterparty. Refused below what is used between the two."""
        return self._told(client, counterparty, limit, LINE_SET, self._set_line(client, counterparty, limit))

    @partially_dependent("client")
    def suspend(self, client: u32) -> u16:
        """Refuse every reservation with this client until it is reinstated."""
        return self._told(client, client, 0, SUSPENSION, self._turn(client, SUSPENDED, ALREADY_SUSPENDED))

    @partially_dependent("client")
    def reinstate(self, client: u32) -> u16:
        """End a suspension."""
        return self._told(client, client, 0, REINSTATEMENT, self._turn(client, ACTIVE, NOT_SUSPENDED))

    @partially_dependent("client", access="read")
    def available(self, client: u32) -> u64 | None:
        """What the gross limit leaves, suspended or not; None for an unknown client."""
        if not self._known(client):
            return None
        return u64(self.clients.limit[client] - self.clients.used[client])

    @partially_dependent("client", access="read")
    def used(self, client: u32) -> u64 | None:
        """What the client has reserved in all; None for an unknown one."""
        if not self._known(client):
            return None
        return u64(self.clients.used[client])

    @partially_dependent("client", access="read")
    def settled(self, client: u32) -> u64 | None:
        """What the client has ever settled; None for an unknown one."""
        if not self._known(client):
            return None
        return u64(self.clients.settled[client])

    @partially_dependent(*BOTH, domain="client", access="read")
    def available_between(self, client: u32, counterparty: u32) -> u64 | None:
        """The most that `reserve` would take now: 0 if one is suspended; None where it takes nothing for the parties' sake."""
        if self._unfit_parties(client, counterparty) != DONE:
            return None
        if self.status[client] == SUSPENDED or self.status[counterparty] == SUSPENDED:
            return u64(0)
        granted, taken = client * CLIENTS + counterparty, counterparty * CLIENTS + client
        least = self.clients.limit[client] - self.clients.used[client]
        least = min(least, self.clients.limit[counterparty] - self.clients.used[counterparty])
        least = min(least, self.lines.limit[granted] - self.lines.used[granted])
        least = min(least, self.lines.limit[taken] - self.lines.used[taken])
        return u64(least)

    @dependent(access="read")
    def total_used(self) -> u64:
        """What all clients have reserved: each reservation counts twice."""
        total = u64(0)
        for client in range(CLIENTS):
            total += u64(self.clients.used[client])
        return total

    def _reserve(self, client: Number, counterparty: Number, amount: Number) -> u16:
        refusal = self._unfit_pair(client, counterparty, amount)
        if refusal != DONE:
            return refusal
        if self.status[client] == SUSPENDED:
            return CLIENT_SUSPENDED
        if self.status[counterparty] == SUSPENDED:
            return COUNTERPARTY_SUSPENDED
        if amount > self.clients.limit[client] - self.clients.used[client]:
            return CLIENT_GROSS_EXCEEDED
        if amount > self.clients.limit[counterparty] - self.clients.used[counterparty]:
            return COUNTERPARTY_GROSS_EXCEEDED
        granted, taken = client * CLIENTS + counterparty, counterparty * CLIENTS + client
        if amount > self.lines.limit[granted] - self.lines.used[granted]:
            return CLIENT_LINE_EXCEEDED
        if amount > self.lines.limit[taken] - self.lines.used[taken]:
            return COUNTERPARTY_LINE_EXCEEDED
        self._use(client, counterparty, amount)
        return DONE

    def _release(self, client: Number, counterparty: Number, amount: Number) -> u16:
        refusal = self._unfit_pair(client, counterparty, amount)
        if refusal != DONE:
            return refusal
        if amount > self.lines.used[client * CLIENTS + counterparty]:
            return MORE_THAN_USED
        self._use(client, counterparty, -amount)
        return DONE

    def _settle(self, client: Number, counterparty: Number, amount: Number) -> u16:
        refusal = self._unfit_pair(client, counterparty, amount)
        if refusal != DONE:
            return refusal
        if amount > self.lines.used[client * CLIENTS + counterparty]:
            return MORE_THAN_USED
        most = SETTLED_MAX - amount
        if self.clients.settled[client] > most or self.clients.settled[counterparty] > most:
            return SETTLED_TOO_LARGE
        self._use(client, counterparty, -amount)
        self.clients.settled[client] += amount
        self.clients.settled[counterparty] += amount
        return DONE

    def _set_gross(self, client: Number, limit: Number) -> u16:
        refusal = self._unfit_limit(limit)
        if refusal != DONE:
            return refusal
        if client >= CLIENTS:
            return CLIENT_OUT_OF_RANGE
        if limit < self.clients.used[client]:
            return LIMIT_BELOW_USED
        self.clients.limit[client] = limit
        if self.status[client] == UNKNOWN:
            self.status[client] = ACTIVE
        return DONE

    def _set_line(self, client: Number, counterparty: Number, limit: Number) -> u16:
        refusal = self._unfit_limit(limit)
        if refusal == DONE:
            refusal = self._unfit_parties(client, counterparty)
        if refusal != DONE:
            return refusal
        line = client * CLIENTS + counterparty
        if limit < self.lines.used[line]:
            return LIMIT_BELOW_USED
        self.lines.limit[line] = limit
        return DONE

    def _turn(self, client: Number, status: int, already: u16) -> u16:
        """Suspend or reinstate a client."""
        if not self._known(client):
            return UNKNOWN_CLIENT
        if (self.status[client] == SUSPENDED) == (status == SUSPENDED):
            return already
        self.status[client] = status
        return DONE

    def _told(self, client: Number, counterparty: Number, amount: Number, change: u8, answer: u16) -> u16:
        """Tell what a command has done, or why it has not."""
        if answer == DONE:
            self.changed.emit(client, counterparty, amount, change)
        else:
            self.rejected.emit(client, counterparty, amount, change, answer)
        return answer

    def _known(self, client: Number) -> bool:
        return bool(client < CLIENTS) and bool(self.status[client] != UNKNOWN)

    def _unfit_parties(self, client: Number, counterparty: Number) -> u16:
        if not self._known(client):
            return UNKNOWN_CLIENT
        if not self._known(counterparty):
            return UNKNOWN_COUNTERPARTY
        return SAME_PARTY if client == counterparty else DONE

    def _unfit_pair(self, client: Number, counterparty: Number, amount: Number) -> u16:
        if amount == 0:
            return ZERO_AMOUNT
        if amount < 0:
            return NEGATIVE_AMOUNT
        if amount > AMOUNT_MAX:
            return AMOUNT_TOO_LARGE
        return self._unfit_parties(client, counterparty)

    def _unfit_limit(self, limit: Number) -> u16:
        if limit < 0:
            return NEGATIVE_LIMIT
        return LIMIT_TOO_LARGE if limit > AMOUNT_MAX else DONE

    def _use(self, client: Number, counterparty: Number, amount: Number) -> None:
        self.clients.used[client] += amount
        self.clients.used[counterparty] += amount
        self.lines.used[client * CLIENTS + counterparty] += amount
        self.lines.used[counterparty * CLIENTS + client] += amount
