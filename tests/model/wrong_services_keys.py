"""Services with one wrong annotation each: keys that are missing, of another domain, or only read by what is said of them."""

from __future__ import annotations

from corpus_support import Text, wrong

from psmr import (
    Array,
    Map,
    Max,
    StateMachine,
    Table,
    dependent,
    i64,
    independent,
    partially_dependent,
    u8,
    u32,
    u64,
)


class Accounts(StateMachine):
    """What several of them begin with; nothing is wrong with it."""

    balances = Map(u64, i64, capacity=1000)

    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> None:
        """Add to one account."""
        self.balances.put(account, self.balances.get(account, 0) + amount)

    @partially_dependent("account", access="read")
    def balance(self, account: u64) -> i64:
        """One account's balance."""
        return self.balances.get(account, 0)


@wrong("a missing key: the target of a transfer", "transfer", "deposit", "balance")
class TransferWithoutTarget(Accounts):
    @partially_dependent("source", domain="account")
    def transfer(self, source: u64, target: u64, amount: i64) -> bool:
        if amount <= 0 or self.balances.get(source, 0) < amount:
            return False
        self.balances.put(source, self.balances.get(source, 0) - amount)
        self.balances.put(target, self.balances.get(target, 0) + amount)
        return True


@wrong("a missing key: the second row of a swap", "swap", "write")
class SwapWithOneRow(StateMachine):
    rows = Array(u64, capacity=16)

    @partially_dependent("row")
    def write(self, row: u32, value: u64) -> None:
        self.rows[row] = value

    @partially_dependent("first", domain="row")
    def swap(self, first: u32, second: u32) -> None:
        kept = self.rows[first]
        self.rows[first] = self.rows[second]
        self.rows[second] = kept


@wrong("a missing key: only read, never written", "copy", "write")
class CopyWithoutSource(StateMachine):
    rows = Array(u64, capacity=16)

    @partially_dependent("row")
    def write(self, row: u32, value: u64) -> None:
        self.rows[row] = value

    @partially_dependent("target", domain="row")
    def copy(self, source: u32, target: u32) -> None:
        self.rows[target] = self.rows[source]


@wrong("a wrong domain: the parameter's own name instead of the account's", "withdraw", "deposit", "balance")
class WithdrawOfAnotherDomain(Accounts):
    @partially_dependent("owner")
    def withdraw(self, owner: u64, amount: i64) -> None:
        self.balances.put(owner, self.balances.get(owner, 0) - amount)


@wrong("a wrong domain: two parameters of one map in two domains", "link")
class LinkOfTwoDomains(StateMachine):
    parents = Map(u64, u64, capacity=100)

    @partially_dependent("child", "parent")
    def link(self, child: u64, parent: u64) -> u64:
        before = self.parents.get(parent, 0)
        self.parents.put(child, parent)
        return before


@wrong("a wrong domain: one for reads, one for writes", "look", "store")
class ReadsApartFromWrites(StateMachine):
    texts = Map[bytes, bytes](Max(12), Max(12), capacity=100)

    @partially_dependent("name", domain="reads", access="read")
    def look(self, name: Text) -> Text | None:
        return self.texts.get(name)

    @partially_dependent("name", domain="writes")
    def store(self, name: Text, value: Text) -> None:
        self.texts.put(name, value)


@wrong("a wrong key: the amount instead of the account", "deposit")
class KeyedByAmount(StateMachine):
    balances = Map(u64, i64, capacity=100)

    @partially_dependent("amount")
    def deposit(self, account: u64, amount: i64) -> None:
        self.balances.put(account, self.balances.get(account, 0) + amount)


@wrong("a wrong key: the room, where guests are the state", "check_in", "check_out")
class KeyedByRoom(StateMachine):
    guests = Map[bytes, int](Max(12), u32, capacity=100)

    @partially_dependent("room")
    def check_in(self, room: u32, guest: Text) -> None:
        self.guests.put(guest, room)

    @partially_dependent("guest")
    def check_out(self, guest: Text) -> bool:
        return self.guests.remove(guest)


@wrong("a read that writes: it counts how often it was asked", "get")
class CountedReads(StateMachine):
    values = Map(u64, u64, capacity=100)
    asked = Map(u64, u64, capacity=100)

    @partially_dependent("key", access="read")
    def get(self, key: u64) -> u64 | None:
        self.asked.put(key, self.asked.get(key, 0) + u64(1))
        return self.values.get(key)

    @partially_dependent("key")
    def put(self, key: u64, value: u64) -> None:
        self.values.put(key, value)


@wrong("a read that writes: it removes what has expired", "get")
class ExpiringReads(StateMachine):
    expiry = Map(u64, i64, capacity=100)

    @partially_dependent("key", access="read")
    def get(self, key: u64) -> bool:
        found = self.expiry.get(key)
        if found is None:
            return False
        if found < self.now_us:
            self.expiry.remove(key)
            return False
        return True

    @partially_dependent("key")
    def put(self, key: u64) -> None:
        self.expiry.put(key, self.now_us)


@wrong("a read that writes: a report of everything marks that it was made", "report")
class MarkingReport(StateMachine):
    sums = Array(i64, capacity=8)
    reports = Array(u64, capacity=1)

    @partially_dependent("row")
    def add(self, row: u8, amount: i64) -> None:
        self.sums[row] += amount

    @dependent(access="read")
    def report(self) -> u64:
        self.reports[0] += u64(1)
        return self.reports[0]


@wrong("a read that writes: the access is given for the wrong one of two keys", "move", "look")
class AccessOfTheOtherKey(StateMachine):
    boxes = Map(u64, u64, capacity=100)

    @partially_dependent("source", "target", domain="box", access={"source": "read"})
    def move(self, source: u64, target: u64) -> None:
        self.boxes.put(target, self.boxes.get(source, 0))
        self.boxes.put(source, u64(0))

    @partially_dependent("box", access="read")
    def look(self, box: u64) -> u64:
        return self.boxes.get(box, 0)

    @partially_dependent("box")
    def fill(self, box: u64, value: u64) -> None:
        self.boxes.put(box, value)


@wrong("independent, though it reads what another command changes", "fee", "set_rate")
class RateReadFreely(StateMachine):
    rates = Array(u64, capacity=4)

    @dependent
    def set_rate(self, rate: u64) -> None:
        self.rates[0] = rate

    @independent
    def fee(self, amount: u64) -> u64:
        return amount * self.rates[0]


@wrong("independent, though it counts", "tick")
class FreeCounter(StateMachine):
    ticks = Array(u64, capacity=1)

    @independent
    def tick(self) -> None:
        self.ticks[0] += u64(1)

    @dependent(access="read")
    def ticked(self) -> u64:
        return self.ticks[0]


@wrong("spread reads: a write that is declared a read", "reprice", "price", "set_price")
class RepricedAsRead(StateMachine, spread_reads=("item",)):
    prices = Map(u32, u64, capacity=100)

    @partially_dependent("item", access="read")
    def price(self, item: u32) -> u64:
        return self.prices.get(item, 0)

    @partially_dependent("item")
    def set_price(self, item: u32, value: u64) -> None:
        self.prices.put(item, value)

    @partially_dependent("item", access="read")
    def reprice(self, item: u32) -> u64:
        self.prices.put(item, self.prices.get(item, 0) + u64(1))
        return self.prices.get(item, 0)


@wrong("inherited state under another domain", "close", "deposit", "balance")
class ClosedByNumber(Accounts):
    @partially_dependent("number")
    def close(self, number: u64) -> bool:
        return self.balances.remove(number)


@wrong("a helper of the handler touches a second key", "post", "read_post")
class HelperTouchesMore(StateMachine):
    posts = Map(u64, u64, capacity=100)

    @partially_dependent("post_id", domain="post")
    def post(self, post_id: u64, answers: u64) -> None:
        self.posts.put(post_id, self.posts.get(post_id, 0))
        self._answered(answers)

    @partially_dependent("post_id", domain="post", access="read")
    def read_post(self, post_id: u64) -> u64:
        return self.posts.get(post_id, 0)

    def _answered(self, post_id: u64) -> None:
        self.posts.put(post_id, self.posts.get(post_id, 0) + u64(1))


@wrong("two fields of a row, one of them under another domain", "move_to", "rename")
class FieldOfAnotherDomain(StateMachine):
    people = Table(capacity=16, place=u64, renamed=u64)

    @partially_dependent("person")
    def rename(self, person: u8) -> None:
        self.people.renamed[person] += u64(1)

    @partially_dependent("place")
    def move_to(self, person: u8, place: u8) -> None:
        self.people.place[person] = place
        self.people.renamed[person] = u64(0)


@wrong("a key of bool, with the other parameter declared", "vote")
class VotesByVoter(StateMachine):
    votes = Map(bool, u64, capacity=2)

    @partially_dependent("voter")
    def vote(self, voter: u64, yes: bool) -> None:
        self.votes.put(yes, self.votes.get(yes, 0) + u64(1))
