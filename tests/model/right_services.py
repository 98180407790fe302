"""Services whose annotations are true, some of them only just: none of them may be accused."""

from __future__ import annotations

from typing import Annotated

from corpus_support import Code, Text, right

from psmr import (
    Array,
    Map,
    Max,
    Scratch,
    Size,
    StateMachine,
    Table,
    dependent,
    f64,
    i16,
    i64,
    independent,
    partially_dependent,
    u8,
    u16,
    u32,
    u64,
)


@right
class Store(StateMachine):
    """Keys and values."""

    values = Map(u64, u64, capacity=1000)

    @partially_dependent("key", access="read")
    def get(self, key: u64) -> u64 | None:
        return self.values.get(key)

    @partially_dependent("key")
    def put(self, key: u64, value: u64) -> bool:
        fresh = key not in self.values
        self.values.put(key, value)
        return fresh

    @partially_dependent("key")
    def remove(self, key: u64) -> bool:
        return self.values.remove(key)

    @dependent(access="read")
    def size(self) -> u64:
        return u64(len(self.values))

    @dependent
    def clear(self) -> None:
        self.values.clear()


@right
class Bank(StateMachine):
    """Both accounts of a transfer are keys; the audit reads all."""

    balances = Map(u64, i64, capacity=1000)

    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> i64:
        self.balances.put(account, self.balances.get(account, 0) + amount)
        return self.balances.get(account, 0)

    @partially_dependent("source", "target", domain="account")
    def transfer(self, source: u64, target: u64, amount: i64) -> None:
        if self.balances.get(source, 0) < amount:
            raise ValueError("too little")
        self.balances.put(source, self.balances.get(source, 0) - amount)
        self.balances.put(target, self.balances.get(target, 0) + amount)

    @dependent(access="read")
    def audit(self) -> i64:
        total = i64(0)
        cursor = self.balances.next(-1)
        while cursor >= 0:
            total += self.balances.value_at(cursor)
            cursor = self.balances.next(cursor)
        return total


@right
class Tiny(StateMachine):
    """So small a map that a group is full soon: keys of one group are delivered in order, so all refuse the same one."""

    values = Map(u64, u8, capacity=1)

    @partially_dependent("key")
    def put(self, key: u64, value: u8) -> None:
        self.values.put(key, value)

    @partially_dependent("key")
    def remove(self, key: u64) -> bool:
        return self.values.remove(key)


@right
class Rows(StateMachine):
    """Rows by their number; one too high raises."""

    table = Table(capacity=6, price=i64, kind=u8, note=Max(6), open=bool)

    @partially_dependent("row")
    def write(self, row: u16, price: i64, kind: u8, note: Annotated[bytes, Max(8)]) -> bool:
        was = self.table.open[row]
        self.table.price[row] = price
        self.table.kind[row] = kind
        self.table.note[row] = note
        self.table.open[row] = not was
        return was

    @partially_dependent("row", access="read")
    def read(self, row: u16) -> i64:
        return self.table.price[row] + self.table.kind[row]


@right
class Calculator(StateMachine):
    """Nothing of it is state."""

    @independent
    def add(self, one: i64, other: i64) -> i64:
        return one + other

    @independent
    def divide(self, one: i64, other: i64) -> i64:
        return one // other

    @independent
    def time(self) -> i64:
        return self.now_us


@right
class ConstantTable(StateMachine):
    """Reads what no command ever changes."""

    rates = Array(u64, capacity=4)
    used = Map(u64, u64, capacity=100)

    @independent
    def rate(self, row: u8) -> u64:
        return self.rates[row]

    @partially_dependent("key")
    def use(self, key: u64) -> u64:
        self.used.put(key, self.used.get(key, 0) + self.rates[0] + u64(1))
        return self.used.get(key, 0)


@right
class CountedPerKey(StateMachine):
    """A counter for each key, none for all."""

    counts = Array(u64, capacity=32)

    @partially_dependent("key")
    def hit(self, key: u8) -> u64:
        self.counts[key] += u64(1)
        return self.counts[key]

    @partially_dependent("first", "second", domain="key", access={"first": "read"})
    def take_over(self, first: u8, second: u8) -> None:
        self.counts[second] = self.counts[first]


@right
class TwoDomains(StateMachine):
    """Authors and books apart: equal numbers of the two are different things."""

    authors = Map(u32, u64, capacity=100)
    books = Map(u32, u64, capacity=100)

    @partially_dependent("author")
    def praise(self, author: u32) -> None:
        self.authors.put(author, self.authors.get(author, 0) + u64(1))

    @partially_dependent("book")
    def read(self, book: u32) -> u64:
        self.books.put(book, self.books.get(book, 0) + u64(1))
        return self.books.get(book, 0)

    @partially_dependent("author", "book")
    def publish(self, author: u32, book: u32) -> u64:
        self.books.put(book, self.authors.get(author, 0))
        self.authors.put(author, u64(0))
        return self.books.get(book, 0)


@right
class Catalogue(StateMachine, spread_reads=("item",)):
    """Reads go to one group, writes to all."""

    prices = Map(u32, u64, capacity=100)

    @partially_dependent("item", access="read")
    def price(self, item: u32) -> u64 | None:
        return self.prices.get(item)

    @partially_dependent("item")
    def set_price(self, item: u32, value: u64) -> None:
        self.prices.put(item, value)


@right
class Purse(StateMachine, order="commutative"):
    """A batch may be executed in an order of its own."""

    coins = Array(u64, capacity=16)

    @partially_dependent("source", "target", domain="owner")
    def pay(self, source: u8, target: u8) -> bool:
        if self.coins[source] == 0:
            return False
        self.coins[source] -= u64(1)
        self.coins[target] += u64(1)
        return True

    @partially_dependent("owner")
    def earn(self, owner: u8) -> None:
        self.coins[owner] += u64(1)


@right
class Leases(StateMachine):
    """Time as it was ordered, a key at a time."""

    until = Map(u64, i64, capacity=100)

    @partially_dependent("name")
    def acquire(self, name: u64, for_us: u32) -> bool:
        if self.until.get(name, 0) > self.now_us:
            return False
        self.until.put(name, self.now_us + for_us)
        return True

    @partially_dependent("name", access="read")
    def is_free(self, name: u64) -> bool:
        return self.until.get(name, 0) <= self.now_us


@right
class Refusing(StateMachine):
    """Writes, then raises: the writes are its own key's, and undone."""

    values = Map(u64, u64, capacity=100)

    @partially_dependent("key")
    def put_even(self, key: u64, value: u64) -> None:
        self.values.put(key, value)
        if value % u64(2) == 1:
            raise ValueError("odd")

    @partially_dependent("key", access="read")
    def get(self, key: u64) -> u64:
        return self.values.get(key, 7)


@right
class Built(StateMachine):
    """Bytes put together in the worker's own room."""

    texts = Map[bytes, bytes](Max(12), Max(24), capacity=100)
    room = Scratch(24)

    @partially_dependent("name")
    def append(self, name: Text, more: Text) -> u64:
        self.room.begin()
        self.room.append(self.texts.get(name, b""))
        self.room.append(more)
        self.texts.put(name, self.room.value())
        return u64(len(self.room.value()))

    @partially_dependent("name", access="read")
    def text(self, name: Text) -> Annotated[bytes, Max(24)]:
        return self.texts.get(name, b"")


@right
class Ballot(StateMachine):
    """Both answers are keys of a kind of their own."""

    votes = Map(bool, u64, capacity=2)
    voters = Map(u64, bool, capacity=100)

    @partially_dependent("voter", "yes")
    def vote(self, voter: u64, yes: bool) -> bool:
        if voter in self.voters:
            return False
        self.voters.put(voter, yes)
        self.votes.put(yes, self.votes.get(yes, 0) + u64(1))
        return True

    @partially_dependent("yes", access="read")
    def counted(self, yes: bool) -> u64:
        return self.votes.get(yes, 0)


@right
class Codes(StateMachine):
    """Keys of fixed length, with zeros in them."""

    owners = Map[bytes, int](Size(4), u64, capacity=100)

    @partially_dependent("code")
    def claim(self, code: Code, owner: u64) -> u64:
        found = self.owners.get(code)
        if found is None:
            self.owners.put(code, owner)
            return owner
        return found


@right
class Sensors(StateMachine):
    """Float sums, each sensor's own."""

    sums = Map(u32, f64, capacity=100)

    @partially_dependent("sensor")
    def measure(self, sensor: u32, value: f64) -> f64:
        self.sums.put(sensor, self.sums.get(sensor, 0.0) + value)
        return self.sums.get(sensor, 0.0)


class Base(StateMachine):
    """Inherited."""

    values = Map(i16, i64, capacity=100)

    @partially_dependent("key")
    def put(self, key: i16, value: i64) -> None:
        self.values.put(key, value)


@right
class Derived(Base):
    """One command more, under the inherited domain."""

    @partially_dependent("one", "other", domain="key", access="read")
    def compare(self, one: i16, other: i16) -> bool:
        return self.values.get(one, 0) < self.values.get(other, 0)


@right
class AlmostEverything(StateMachine):
    """Dependent where it has to be: numbers given out, and reports of all."""

    given = Array(u64, capacity=1)
    owners = Map(u64, u64, capacity=1000)

    @dependent
    def open(self, owner: u64) -> u64:
        self.given[0] += u64(1)
        self.owners.put(self.given[0], owner)
        return self.given[0]

    @partially_dependent("number")
    def hand_over(self, number: u64, owner: u64) -> bool:
        if number not in self.owners:
            return False
        self.owners.put(number, owner)
        return True

    @dependent(access="read")
    def newest(self) -> u64:
        return self.given[0]


@right
class TooStrict(StateMachine):
    """Stricter than need be, which is no fault."""

    values = Map(u64, u64, capacity=100)

    @dependent
    def put(self, key: u64, value: u64) -> None:
        self.values.put(key, value)

    @dependent
    def echo(self, value: u64) -> u64:
        return value


@right
class Queues(StateMachine):
    """A queue for each name: its ends, and rows that only it has."""

    ends = Table(capacity=8, first=u64, last=u64)
    places = Map(u64, u64, capacity=1000)

    @partially_dependent("name")
    def enqueue(self, name: u8) -> u64:
        self.ends.last[name] += u64(1)
        return self.ends.last[name]

    @partially_dependent("name")
    def dequeue(self, name: u8) -> u64 | None:
        if self.ends.first[name] == self.ends.last[name]:
            return None
        self.ends.first[name] += u64(1)
        return self.ends.first[name]


@right
class Rare(StateMachine):
    """Rare branches that stay with their keys."""

    counts = Map(u64, u64, capacity=100)
    prizes = Map(u64, u64, capacity=100)

    @partially_dependent("player")
    def play(self, player: u64, number: u64) -> u64:
        count = self.counts.get(player, 0) + u64(1)
        self.counts.put(player, count)
        if count % u64(7) == 0 or number == 4711:
            self.prizes.put(player, self.prizes.get(player, 0) + u64(1))
        return self.prizes.get(player, 0)


@right
class Tree(StateMachine):
    """The parent is a key, so that its row may be changed too; it has to be the right one."""

    parents = Map(u64, u64, capacity=100)
    sizes = Map(u64, u64, capacity=100)

    @partially_dependent("child", "parent", domain="node")
    def adopt(self, child: u64, parent: u64) -> bool:
        if child in self.parents:
            return False
        self.parents.put(child, parent)
        self.sizes.put(parent, self.sizes.get(parent, 0) + u64(1))
        return True

    @partially_dependent("child", "parent", domain="node")
    def leave(self, child: u64, parent: u64) -> bool:
        if self.parents.get(child, 0) != parent:
            return False
        self.parents.remove(child)
        self.sizes.put(parent, self.sizes.get(parent, 0) - u64(1))
        return True


@right
class Market(StateMachine):
    """What only dependent commands change may be read by any command that has a key."""

    is_open = Array(bool, capacity=1)
    orders = Map(u64, u64, capacity=100)

    @partially_dependent("book")
    def order(self, book: u64) -> bool:
        if not self.is_open[0]:
            return False
        self.orders.put(book, self.orders.get(book, 0) + u64(1))
        return True

    @dependent
    def switch(self) -> bool:
        self.is_open[0] = not self.is_open[0]
        return self.is_open[0]
