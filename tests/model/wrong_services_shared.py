"""Services with one wrong annotation each: counters, totals, aliases, capacities and computed places that calls share."""

from __future__ import annotations

from corpus_support import Code, Text, wrong

from psmr import (
    Array,
    Map,
    Max,
    Size,
    StateMachine,
    Table,
    dependent,
    f64,
    i64,
    independent,
    partially_dependent,
    u8,
    u16,
    u32,
    u64,
)


@wrong("a counter: numbers given out to all", "open_account")
class GivenNumbers(StateMachine):
    names = Map[int, bytes](u64, Max(12), capacity=100)
    given = Array(u64, capacity=1)

    @partially_dependent("name")
    def open_account(self, name: Text) -> u64:
        number = self.given[0] + u64(1)
        self.given[0] = number
        return number


@wrong("a counter: a total kept beside the accounts", "deposit")
class TotalBeside(StateMachine):
    balances = Map(u64, i64, capacity=100)
    totals = Array(i64, capacity=1)

    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> None:
        self.balances.put(account, self.balances.get(account, 0) + amount)
        self.totals[0] += amount


@wrong("a counter: version numbers of all documents are one sequence", "save")
class OneSequence(StateMachine):
    versions = Map(u64, u64, capacity=100)
    sequence = Array(u64, capacity=1)

    @partially_dependent("document")
    def save(self, document: u64) -> u64:
        self.sequence[0] += u64(1)
        self.versions.put(document, self.sequence[0])
        return self.sequence[0]


@wrong("a float sum: additions of floats do not commute", "measure")
class FreeFloatSum(StateMachine):
    sums = Array(f64, capacity=1)

    @independent
    def measure(self, value: f64) -> None:
        self.sums[0] += value

    @dependent(access="read")
    def total(self) -> f64:
        return self.sums[0]


@wrong("a float sum: a mean over all sensors beside each sensor's own", "measure")
class MeanOfAll(StateMachine):
    last = Map(u32, f64, capacity=100)
    mean = Array(f64, capacity=2)

    @partially_dependent("sensor")
    def measure(self, sensor: u32, value: f64) -> None:
        self.last.put(sensor, value)
        self.mean[0] = (self.mean[0] * self.mean[1] + value) / (self.mean[1] + 1.0)
        self.mean[1] += 1.0


@wrong("aliasing through a second map: an index by address", "register")
class IndexByAddress(StateMachine):
    addresses = Map[int, bytes](u64, Max(12), capacity=100)
    users = Map[bytes, int](Max(12), u64, capacity=100)

    @partially_dependent("user")
    def register(self, user: u64, address: Text) -> bool:
        if address in self.users:
            return False
        self.users.put(address, user)
        self.addresses.put(user, address)
        return True


@wrong("aliasing through a second map: two names of one account", "pay")
class TwoNames(StateMachine):
    accounts = Map[bytes, int](Max(12), u32, capacity=100)
    balances = Array(i64, capacity=16)

    @dependent
    def name_account(self, name: Text, account: u32) -> None:
        self.accounts.put(name, account)

    @partially_dependent("name")
    def pay(self, name: Text, amount: i64) -> None:
        account = self.accounts.get(name)
        if account is not None:
            self.balances[account] += amount


@wrong("aliasing through a second map: a child's change reaches its parent", "grow", "adopt")
class ParentGrows(StateMachine):
    parents = Map(u64, u64, capacity=100)
    sizes = Map(u64, u64, capacity=100)

    @partially_dependent("child", "parent", domain="node")
    def adopt(self, child: u64, parent: u64) -> None:
        self.parents.put(child, parent)

    @partially_dependent("node")
    def grow(self, node: u64) -> None:
        self.sizes.put(node, self.sizes.get(node, 0) + u64(1))
        parent = self.parents.get(node)
        if parent is not None:
            self.sizes.put(parent, self.sizes.get(parent, 0) + u64(1))


@wrong("aliasing through a stored row: a cursor says where to write", "append")
class CursorSaysWhere(StateMachine):
    cursors = Array(u64, capacity=8)
    cells = Array(u64, capacity=64)

    @partially_dependent("stream")
    def append(self, stream: u8, value: u64) -> None:
        place = self.cursors[stream]
        self.cells[place] = value
        self.cursors[stream] = place + u64(1)


@wrong("a capacity: no more than eight of them in all", "join")
class NoMoreThanEight(StateMachine):
    members = Map(u64, bool, capacity=1000)

    @partially_dependent("member")
    def join(self, member: u64) -> bool:
        if member not in self.members and len(self.members) >= 8:
            return False
        self.members.put(member, True)
        return True


@wrong("a capacity: a list of free rows", "allocate")
class FreeRows(StateMachine):
    next_free = Array(u32, capacity=1)
    owners = Array(u64, capacity=64)

    @partially_dependent("owner")
    def allocate(self, owner: u64) -> u32:
        row = self.next_free[0]
        self.next_free[0] = row + 1
        self.owners[row] = owner
        return row


@wrong("a capacity: the oldest goes when a new one comes", "remember")
class OldestGoes(StateMachine):
    seen = Map(u64, i64, capacity=1000)

    @partially_dependent("item")
    def remember(self, item: u64) -> None:
        if item not in self.seen and len(self.seen) >= 3:
            oldest = self.seen.next(-1)
            self.seen.remove(self.seen.key_at(oldest))
        self.seen.put(item, self.now_us)


@wrong("a capacity: seats left, a number for all", "book")
class SeatsLeft(StateMachine):
    taken = Array(u32, capacity=1)
    seats = Map(u64, u32, capacity=100)

    @partially_dependent("passenger")
    def book(self, passenger: u64) -> bool:
        if self.taken[0] >= 5:
            return False
        self.taken[0] += 1
        self.seats.put(passenger, self.taken[0])
        return True


@wrong("memory of a group: a key composed of two parameters lies with another group's", "put_item")
class ComposedKeys(StateMachine):
    items = Map(u64, u64, capacity=10_000)

    @partially_dependent("owner")
    def put_item(self, owner: u32, item: u32, value: u64) -> None:
        self.items.put(u64(owner) * u64(1 << 20) + u64(item), value)


@wrong("a computed row: the key modulo a capacity", "hit")
class ModuloRows(StateMachine):
    hits = Array(u64, capacity=8)

    @partially_dependent("key")
    def hit(self, key: u64) -> u64:
        row = key % u64(8)
        self.hits[row] += u64(1)
        return self.hits[row]


@wrong("a computed row: sixteen keys to a page", "write_cell")
class PagesOfCells(StateMachine):
    changes = Array(u64, capacity=4096)

    @partially_dependent("cell")
    def write_cell(self, cell: u16) -> u64:
        page = cell >> 4
        self.changes[page] += u64(1)
        return self.changes[page]


@wrong("a computed key: its first byte", "file_under")
class FirstByte(StateMachine):
    drawers = Map[bytes, int](Max(1), u64, capacity=300)

    @partially_dependent("name")
    def file_under(self, name: Text) -> u64:
        drawer = name[:1]
        count = self.drawers.get(drawer, 0) + u64(1)
        self.drawers.put(drawer, count)
        return count


@wrong("a computed key: its distance from zero", "mark")
class DistanceFromZero(StateMachine):
    marks = Map(i64, u64, capacity=100)

    @partially_dependent("place")
    def mark(self, place: i64) -> u64:
        distance = place if place >= 0 else -place
        count = self.marks.get(distance, 0) + u64(1)
        self.marks.put(distance, count)
        return count


@wrong("a computed key: the beginning of a code", "stamp")
class BeginningOfCode(StateMachine):
    stamps = Map[bytes, int](Size(4), u64, capacity=300)

    @partially_dependent("code")
    def stamp(self, code: Code) -> None:
        self.stamps.put(code[:2] + b"--", u64(1))
        self.stamps.put(code, u64(1))


@wrong("the whole of it: a size in a reply", "put")
class SizeInReply(StateMachine):
    values = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def put(self, key: u64, value: u64) -> u64:
        self.values.put(key, value)
        return u64(len(self.values))


@wrong("the whole of it: a command that clears, with a key", "reset", "put")
class ClearsWithKey(StateMachine):
    values = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def put(self, key: u64, value: u64) -> None:
        self.values.put(key, value)

    @partially_dependent("key")
    def reset(self, key: u64) -> None:
        self.values.clear()


@wrong("the whole of it: a search through all, with a key", "best", "bid")
class SearchWithKey(StateMachine):
    bids = Map(u64, u64, capacity=100)

    @partially_dependent("bidder")
    def bid(self, bidder: u64, amount: u64) -> None:
        self.bids.put(bidder, amount)

    @partially_dependent("bidder", access="read")
    def best(self, bidder: u64) -> u64:
        found = u64(0)
        cursor = self.bids.next(-1)
        while cursor >= 0:
            if self.bids.value_at(cursor) > found:
                found = self.bids.value_at(cursor)
            cursor = self.bids.next(cursor)
        return found


@wrong("a degree: an edge counts at both of its ends", "connect", "degree")
class DegreeAtBothEnds(StateMachine):
    nodes = Table(capacity=32, degree=u64, colour=u8)

    @partially_dependent("one", domain="node")
    def connect(self, one: u8, other: u8) -> None:
        self.nodes.degree[one] += u64(1)
        self.nodes.degree[other] += u64(1)

    @partially_dependent("node", access="read")
    def degree(self, node: u8) -> u64:
        return self.nodes.degree[node]
