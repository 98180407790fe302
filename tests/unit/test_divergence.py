"""Who of some replicas has parted, where, and who stops: the pure core, on a network that loses, repeats and delays."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import msgspec
import pytest

from psmr.core import divergence as core
from psmr.core import rolling as rolling_module
from psmr.core.divergence import CHECKPOINT_ENTRIES, CHECKPOINT_US, PATIENCE_US, Divergence, Parted, Progress, Received
from psmr.core.divergence_messages import DigestsGiven, DigestTold
from psmr.core.rolling import FORM, Mark, Rolling
from psmr.replica import snapshot_content


@dataclass
class Replica:
    """One that executes: `does(index)` is what its entry comes out as."""

    number: int
    rolling: Rolling = field(default_factory=Rolling)
    core: Divergence = field(init=False)
    parted: Parted | None = None

    def __post_init__(self) -> None:
        self.core = Divergence(self.number, self.rolling)


class Cluster:
    """Replicas that tell each other; `wrong[r]` is from which entry on replica r does another thing, and what."""

    def __init__(self, count: int, wrong: dict[int, tuple[int, int]], *, seed: int = 1, loss: float = 0.0) -> None:
        self.now_us = 0
        self.wrong = wrong
        self.loss = loss
        self.chance = random.Random(seed)
        self.members = frozenset(range(1, count + 1))
        self.voters = self.members
        self.down: set[int] = set()
        self.replicas = {number: self._made(number, Rolling()) for number in self.members}
        self.mail: list[tuple[int, int, object]] = []

    def _made(self, number: int, rolling: Rolling) -> Replica:
        made = Replica(number, rolling)
        made.core.handle(core.Voters(self.members, self.voters))
        return made

    def restart(self, number: int, through: int, mark: Mark | None) -> None:
        """The replica begins anew from a snapshot, and executes on from there."""
        self.replicas[number] = self._made(number, Rolling(through, mark))

    def change_voters(self, voters: frozenset[int]) -> None:
        self.voters = voters
        for number in self.replicas:
            self._take(number, core.Voters(self.members, voters))

    def execute(self, number: int, through: int) -> None:
        rolling = self.replicas[number].rolling
        start, mark = self.wrong.get(number, (1 << 40, 0))
        for index in range(rolling.through + 1, through + 1):
            rolling.take(index, index if index < start else mark + index, 3)
        rolling.complete(through)

    def run(self, turns: int = 40) -> None:
        """Let time pass until nobody has anything to say."""
        for _ in range(turns):
            self.now_us += CHECKPOINT_US + PATIENCE_US
            for number in self.members - self.down:
                self._take(number, Progress(self.now_us))
            while self.mail:
                sender, to, message = self.mail.pop(self.chance.randrange(len(self.mail)))
                if self.chance.random() >= self.loss and not {sender, to} & self.down:
                    for _ in range(1 + (self.loss > 0 and self.chance.random() < 0.3)):
                        self._take(to, Received(sender, message))  # type: ignore[arg-type]

    def _take(self, number: int, event: core.Event) -> None:
        replica = self.replicas[number]
        for effect in replica.core.handle(event):
            if isinstance(effect, Parted):
                replica.parted = effect
            else:
                self.mail.append((number, effect.to, effect.message))
        replica.core.validate()

    def all_execute(self, through: int) -> None:
        for number in self.members - self.down:
            self.execute(number, through)

    @property
    def stopped(self) -> dict[int, int]:
        return {number: each.parted.index for number, each in self.replicas.items() if each.parted is not None}


def test_equal_replicas_tell_each_other_and_go_on() -> None:
    cluster = Cluster(3, {})
    for through in (10, 2000, 2001):
        cluster.all_execute(through)
        cluster.run(3)
    assert cluster.stopped == {}
    assert [each.core.differences() for each in cluster.replicas.values()] == [[], [], []]
    assert {known.agreed for each in cluster.replicas.values() for known in each.core._peers.values()} == {2001}


@pytest.mark.parametrize("first", [1, 2, 777, 1023, 1024, 5000])
@pytest.mark.parametrize("count", [3, 5])
def test_one_that_is_wrong_stops_and_the_others_know_where(count: int, first: int) -> None:
    cluster = Cluster(count, {2: (first, 1 << 30)})
    cluster.all_execute(5000)
    cluster.run()
    assert cluster.stopped == {2: first}
    parted = cluster.replicas[2].parted
    assert parted is not None
    assert parted.is_exact
    assert len(parted.right) > count // 2
    for number in cluster.members - {2}:
        assert [(d.peer, d.index, d.is_exact, d.is_wrong) for d in cluster.replicas[number].core.differences()] == [
            (2, first, True, True)
        ]


@pytest.mark.parametrize("seed", range(10))
def test_messages_that_are_lost_repeated_and_late_change_nothing(seed: int) -> None:
    cluster = Cluster(3, {3: (40 + seed, 1 << 30)}, seed=seed, loss=0.4)
    for through in range(10, 200, 7):
        for number in cluster.members:
            cluster.execute(number, max(cluster.replicas[number].rolling.through, through - 3 * number))
        cluster.run(2)
    cluster.all_execute(300)
    cluster.run(60)
    assert cluster.stopped == {3: 40 + seed}


def test_two_of_five_that_are_wrong_in_different_ways_stop() -> None:
    cluster = Cluster(5, {2: (10, 1 << 30), 4: (20, 1 << 31)})
    cluster.all_execute(100)
    cluster.run()
    assert cluster.stopped == {2: 10, 4: 20}


def test_two_of_five_that_are_wrong_alike_stop() -> None:
    cluster = Cluster(5, {2: (10, 1 << 30), 4: (10, 1 << 30)})
    cluster.all_execute(100)
    cluster.run()
    assert cluster.stopped == {2: 10, 4: 10}


@pytest.mark.parametrize("count", [2, 3, 5])
def test_where_all_differ_all_stop(count: int) -> None:
    cluster = Cluster(count, {number: (7, number << 30) for number in range(1, count + 1)})
    cluster.all_execute(100)
    cluster.run()
    assert cluster.stopped == dict.fromkeys(range(1, count + 1), 7)
    assert {each.parted.right for each in cluster.replicas.values() if each.parted is not None} == {()}


def test_while_a_voter_is_down_two_that_differ_go_on_and_then_it_decides() -> None:
    cluster = Cluster(3, {2: (50, 1 << 30)})
    cluster.down = {3}
    cluster.all_execute(100)
    cluster.run()
    assert cluster.stopped == {}
    assert [(d.peer, d.index, d.is_wrong) for d in cluster.replicas[1].core.differences()] == [(2, 50, False)]
    cluster.down = set()
    cluster.all_execute(120)
    cluster.run()
    assert cluster.stopped == {2: 50}


def test_a_replica_that_is_late_compares_when_it_has_come_there() -> None:
    cluster = Cluster(3, {2: (50, 1 << 30)})
    for through in (60, 70, 80):
        cluster.execute(1, through)
        cluster.execute(3, through)
        cluster.run(2)
    assert cluster.stopped == {}
    cluster.execute(2, 65)
    cluster.down = {
        1,
        3,
    }  # nobody says anything any more: what was told before is enough to know that there is a difference
    cluster.run(1)
    assert [d.peer for d in cluster.replicas[2].core.differences()] == [1, 3]
    cluster.down = set()
    cluster.run()
    assert cluster.stopped == {2: 50}


def test_a_restart_from_a_snapshot_goes_on_where_it_was() -> None:
    cluster = Cluster(3, {2: (150, 1 << 30)})
    cluster.all_execute(100)
    cluster.run()
    cluster.restart(2, 100, cluster.replicas[2].rolling.mark)
    cluster.all_execute(200)
    cluster.run()
    assert cluster.stopped == {2: 150}


def test_what_parted_before_a_restart_is_found_after_it() -> None:
    cluster = Cluster(3, {2: (50, 1 << 30)})
    cluster.all_execute(100)
    cluster.restart(2, 100, cluster.replicas[2].rolling.mark)
    cluster.all_execute(200)
    cluster.run()
    assert cluster.stopped == {2: 100}, "nothing before its snapshot is known of it any more"
    parted = cluster.replicas[2].parted
    assert parted is not None
    assert not parted.is_exact


def test_snapshots_without_a_mark_or_of_another_form_can_still_be_begun_from() -> None:
    cluster = Cluster(3, {2: (150, 1 << 30)})
    cluster.all_execute(100)
    cluster.restart(1, 90, None)
    cluster.restart(2, 100, Mark(FORM + 1, 0, 5))
    cluster.restart(3, 80, None)
    for through in (110, 120, 200):
        cluster.all_execute(through)
        cluster.run()
    assert cluster.stopped == {2: 150}


def test_one_that_began_anew_with_a_right_state_is_right_again() -> None:
    cluster = Cluster(3, {2: (50, 1 << 30)})
    cluster.all_execute(100)
    cluster.run()
    assert cluster.replicas[1].core.differences() != []
    cluster.wrong = {}
    cluster.restart(2, 90, Rolling(0).mark)
    source = cluster.replicas[1].rolling.at(90)
    assert source is not None
    cluster.restart(2, 90, Mark(FORM, 0, source))
    cluster.all_execute(130)
    cluster.run()
    assert cluster.stopped == {}
    assert cluster.replicas[1].core.differences() == []


def test_a_learner_counts_for_nothing_and_stops_when_it_is_wrong() -> None:
    cluster = Cluster(4, {4: (20, 1 << 30)})
    cluster.change_voters(frozenset({1, 2, 3}))
    cluster.all_execute(100)
    cluster.run()
    assert cluster.stopped == {4: 20}


def test_a_change_of_voters_may_decide() -> None:
    cluster = Cluster(3, {2: (20, 1 << 30)})
    cluster.change_voters(frozenset({1, 2}))
    cluster.down = {1}
    cluster.all_execute(100)
    cluster.run()
    cluster.change_voters(frozenset({2, 3}))
    cluster.run()
    assert cluster.stopped == {2: 20, 3: 20}, "two voters, and no majority"


def test_what_parted_longer_ago_than_is_kept_is_still_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling_module, "KEPT_ENTRIES", 64)
    cluster = Cluster(3, {2: (50, 1 << 30)})
    cluster.all_execute(1000)
    cluster.run()
    assert list(cluster.stopped) == [2]
    parted = cluster.replicas[2].parted
    assert parted is not None
    assert not parted.is_exact
    assert 936 <= parted.index <= 940


def test_one_that_has_not_come_there_again_is_not_asked_all_the_time() -> None:
    rolling = Rolling()
    one = Divergence(1, rolling)
    one.handle(core.Voters(frozenset({1, 2}), frozenset({1, 2})))
    for index in range(1, 34):
        rolling.take(index, index, 1)
    rolling.complete(33)
    one.handle(Progress(0))
    asked, told = one.handle(Received(2, DigestTold(FORM, 0, 33, 99)))
    assert isinstance(asked, core.Send)
    assert isinstance(told, core.Send)
    assert told.message == DigestTold(FORM, 0, 33, rolling.at(33) or 0)
    nothing = DigestsGiven(FORM, 0, 29, asked.message.indexes, (None,) * len(asked.message.indexes))
    one.handle(Received(2, nothing))
    assert one.handle(Received(2, nothing)) == [], "it has begun anew, and has nothing to say yet"
    assert [type(effect) for effect in one.handle(Progress(PATIENCE_US))] == [core.Send, core.Send]


def test_one_that_was_not_told_is_told_by_who_asks_it() -> None:
    cluster = Cluster(3, {2: (24, 1 << 30)})
    cluster.all_execute(24)
    cluster.down = {2}
    cluster.run()
    cluster.down = set()
    cluster.run()
    assert cluster.stopped == {2: 24}, "nothing new is executed, and the others have told what there is"


@pytest.mark.parametrize(
    ("third", "stopped"),
    [({}, {1: 5}), ({3: (5, 1 << 30)}, {2: 5}), ({3: (5, 1 << 31)}, {1: 5, 2: 5})],
    ids=["the same as one", "the same as the other", "another thing again"],
)
def test_one_that_told_nobody_is_asked_when_others_differ(
    third: dict[int, tuple[int, int]], stopped: dict[int, int]
) -> None:
    cluster = Cluster(3, {1: (5, 1 << 30), **third})
    cluster.down.add(3)
    for number in cluster.members:
        cluster.execute(number, 20)
    cluster.run(3)
    assert cluster.stopped == {}
    # It is there, but has nothing new to tell, as one that has parted from somebody else already.
    cluster.down.clear()
    cluster.replicas[3].core._told = 20
    cluster.run(3)
    assert {number: at for number, at in cluster.stopped.items() if number != 3} == stopped


def test_digests_of_another_form_say_nothing() -> None:
    cluster = Cluster(2, {})
    cluster.all_execute(10)
    one = cluster.replicas[1].core
    assert one.handle(Received(2, DigestTold(FORM + 1, 0, 5, 99))) == []
    assert one.handle(Received(2, DigestsGiven(FORM + 1, 0, 0, (5,), (99,)))) == []
    assert one.differences() == []


def test_many_entries_are_told_of_at_once_and_few_after_a_while() -> None:
    rolling = Rolling()
    one = Divergence(1, rolling)
    one.handle(core.Voters(frozenset({1, 2}), frozenset({1, 2})))
    one.handle(Progress(0))
    rolling.complete(CHECKPOINT_ENTRIES - 1)
    assert one.handle(Progress(1)) == []
    assert one.due_us == CHECKPOINT_US
    rolling.complete(CHECKPOINT_ENTRIES)
    assert [type(effect) for effect in one.handle(Progress(2))] == [core.Send]
    rolling.complete(CHECKPOINT_ENTRIES + 1)
    assert one.handle(Progress(3)) == []
    assert [type(effect) for effect in one.handle(Progress(2 + CHECKPOINT_US))] == [core.Send]
    assert one.handle(Progress(9 * CHECKPOINT_US)) == [], "nothing is new"


def test_rolling_digests_are_the_same_wherever_the_sum_began() -> None:
    whole, part = Rolling(), Rolling(10)
    for index in range(1, 40):
        if index % 3:
            whole.take(index, index * 7, 2)
            whole.take(index, index * 9, 1)
            if index > 10:
                part.take(index, index * 7, 2)
                part.take(index, index * 9, 1)
    whole.complete(45)
    part.complete(45)
    between = [(whole.at(index) or 0) - (part.at(index) or 0) for index in range(10, 46)]
    assert len({difference % (1 << 64) for difference in between}) == 1
    assert part.at(9) is None
    assert whole.rows_of(20) == (3 * 13, 3)
    assert whole.rows_of(21) == (3 * 14, 0)
    assert whole.rows_of(46) is None


def test_a_snapshot_of_before_there_were_digests_can_be_read() -> None:
    before = msgspec.msgpack.encode((b"members", 16, 5, (), 3))
    assert snapshot_content._DECODER.decode(before).rolling is None


def test_rolling_digests_are_found_however_many_came_and_wherever_they_began() -> None:
    rolling = Rolling(70_001)
    for index in range(70_002, 71_001):
        rolling.take(index, index, 2)
        rolling.complete(index)
    totals, total = {70_001: 0}, 0
    for index in range(70_002, 71_001):
        total = (total + index * (2 * index + 1)) % 2**64
        totals[index] = total
    assert {index: rolling.at(index) for index in totals} == totals
    assert rolling.rows_of(70_900) == (2 * 898, 2)
    assert rolling.at(70_000) is rolling.at(71_001) is None
