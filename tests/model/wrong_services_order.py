"""Services with one wrong annotation each: what came first or last shows, or a condition that holds only rarely."""

from __future__ import annotations

from corpus_support import Text, wrong

from psmr import Array, Map, Max, StateMachine, dependent, i64, independent, partially_dependent, u8, u32, u64

JACKPOT = 424_242


@wrong("order shows: who wrote last", "write")
class LastWriter(StateMachine):
    values = Map(u64, u64, capacity=100)
    last = Array(u64, capacity=1)

    @partially_dependent("key")
    def write(self, key: u64, value: u64) -> None:
        self.values.put(key, value)
        self.last[0] = key


@wrong("order shows: who was first", "claim")
class FirstClaim(StateMachine):
    winner = Array(u64, capacity=1)

    @partially_dependent("player")
    def claim(self, player: u64) -> bool:
        if self.winner[0] != 0:
            return False
        self.winner[0] = player + u64(1)
        return True


@wrong("order shows: whether it was the highest so far", "bid")
class HighestSoFar(StateMachine):
    highest = Array(u64, capacity=1)

    @partially_dependent("bidder")
    def bid(self, bidder: u64, amount: u64) -> bool:
        if amount <= self.highest[0]:
            return False
        self.highest[0] = amount
        return True


@wrong("order shows: a queue with one end for all", "enqueue")
class OneQueue(StateMachine):
    ends = Array(u64, capacity=2)
    items = Map(u64, u64, capacity=1000)

    @partially_dependent("item")
    def enqueue(self, item: u64) -> None:
        self.items.put(self.ends[1], item)
        self.ends[1] += u64(1)

    @dependent
    def dequeue(self) -> u64 | None:
        if self.ends[0] == self.ends[1]:
            return None
        item = self.items.get(self.ends[0])
        self.ends[0] += u64(1)
        return item


@wrong("order shows: a lock for all, taken by a holder", "acquire", "release")
class OneLock(StateMachine):
    holder = Array(u64, capacity=1)

    @partially_dependent("who")
    def acquire(self, who: u64) -> bool:
        if self.holder[0] != 0:
            return False
        self.holder[0] = who + u64(1)
        return True

    @partially_dependent("who")
    def release(self, who: u64) -> None:
        if self.holder[0] == who + u64(1):
            self.holder[0] = u64(0)


@wrong("order shows: a switch that each call turns", "toggle")
class OneSwitch(StateMachine):
    on = Array(bool, capacity=1)

    @independent
    def toggle(self) -> bool:
        self.on[0] = not self.on[0]
        return self.on[0]


@wrong("order shows: the time of the last call of all", "touch", "last")
class TimeOfLast(StateMachine):
    times = Array(i64, capacity=1)

    @partially_dependent("key")
    def touch(self, key: u64) -> None:
        self.times[0] = self.now_us

    @partially_dependent("key", access="read")
    def last(self, key: u64) -> i64:
        return self.times[0]


@wrong("order shows: a chain of digests over all entries", "log_entry")
class ChainOfDigests(StateMachine):
    head = Array(u64, capacity=1)

    @partially_dependent("author")
    def log_entry(self, author: u64, text: Text) -> None:
        mixed = self.head[0] * u64(31) + u64(len(text)) + author
        self.head[0] = mixed


@wrong("order shows: non-commuting changes of one value", "double", "increment")
class DoubleAndIncrement(StateMachine):
    values = Array(u64, capacity=4)

    @independent
    def double(self, row: u8) -> None:
        self.values[row] = self.values[row] * u64(2)

    @partially_dependent("row")
    def increment(self, row: u8) -> None:
        self.values[row] += u64(1)


@wrong("a rare state: the write comes only at a balance of exactly a thousand", "deposit")
class ThousandthCoin(StateMachine):
    balances = Map(u64, i64, capacity=100)
    prizes = Array(u64, capacity=1)

    @partially_dependent("account")
    def deposit(self, account: u64, amount: i64) -> None:
        balance = self.balances.get(account, 0) + amount
        self.balances.put(account, balance)
        if balance == 1000:
            self.prizes[0] += u64(1)


@wrong("a rare state: the write comes with every tenth call of a key", "visit")
class TenthVisit(StateMachine):
    visits = Map(u64, u64, capacity=100)
    fees = Array(u64, capacity=1)

    @partially_dependent("visitor")
    def visit(self, visitor: u64) -> None:
        count = self.visits.get(visitor, 0) + u64(1)
        self.visits.put(visitor, count)
        if count % u64(10) == 0:
            self.fees[0] += u64(1)


@wrong("a rare argument: one number in four billion", "play")
class OneNumber(StateMachine):
    played = Map(u32, u64, capacity=100)
    pot = Array(u64, capacity=1)

    @partially_dependent("player")
    def play(self, player: u32, number: u32) -> bool:
        self.played.put(player, u64(number))
        if number == JACKPOT:
            self.pot[0] += u64(1)
            return True
        return False


@wrong("a rare argument: a word that only administrators say", "say")
class MagicWord(StateMachine):
    said = Map[int, bytes](u64, Max(12), capacity=100)
    doors = Array(bool, capacity=1)

    @partially_dependent("speaker")
    def say(self, speaker: u64, word: Text) -> bool:
        self.said.put(speaker, word)
        if word == b"sesame":
            self.doors[0] = not self.doors[0]
        return self.doors[0] if word == b"sesame" else False


@wrong("a rare state: a value equal to one stored under another key's name", "answer", "ask")
class EqualToStored(StateMachine):
    questions = Map(u64, u64, capacity=100)
    solved = Array(u64, capacity=1)

    @partially_dependent("question")
    def ask(self, question: u64, solution: u64) -> None:
        self.questions.put(question, solution)

    @partially_dependent("question")
    def answer(self, question: u64, value: u64) -> bool:
        if self.questions.get(question, 0) == value and value > 2:
            self.solved[0] += u64(1)
            return True
        return False


@wrong("a rare state: two stages have to be passed first", "advance")
class TwoStages(StateMachine):
    stages = Map(u64, u64, capacity=100)
    arrived = Array(u64, capacity=1)

    @partially_dependent("player")
    def advance(self, player: u64, key: u64) -> u64:
        stage = self.stages.get(player, 0)
        if (stage == 0 and key == 17) or (stage == 1 and key == 4711):
            self.stages.put(player, stage + u64(1))
        elif stage == 2:
            self.arrived[0] += u64(1)
        return stage


@wrong("a failure: a shared cell is written, and then the command raises", "try_it", "shared")
class RaisesAfterWriting(StateMachine):
    cells = Array(u64, capacity=4)

    @partially_dependent("key")
    def try_it(self, key: u64, amount: u64) -> None:
        self.cells[0] = amount
        raise ValueError("every call is refused, its writes undone")

    @partially_dependent("key", access="read")
    def shared(self, key: u64) -> u64:
        return self.cells[0]


@wrong("a failure: whether a command raises depends on a shared limit", "spend", "set_limit")
class SharedLimit(StateMachine):
    limits = Array(u64, capacity=1)
    spent = Map(u64, u64, capacity=100)

    @partially_dependent("admin")
    def set_limit(self, admin: u64, limit: u64) -> None:
        self.limits[0] = limit

    @partially_dependent("account")
    def spend(self, account: u64, amount: u64) -> None:
        if amount > self.limits[0]:
            raise ValueError("over the limit")
        self.spent.put(account, amount)
