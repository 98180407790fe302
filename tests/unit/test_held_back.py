"""Batches for whose replies nobody waits: held back from the workers, but not for good."""

from __future__ import annotations

from typing import cast

from psmr.core.batch import KIND_COMMANDS, encode, encode_open
from psmr.core.sessions import OPENS_MAX, Sessions
from psmr.execution.engine import Engine
from psmr.log.port import Entry
from psmr.replica.delivery import Delivery
from psmr.simulation.cluster.engine import SequentialEngine
from psmr.simulation.cluster.service import FINGERPRINT, RECORD, STRIDE, KeyValueService


def opened(engine: SequentialEngine) -> Delivery:
    """One whose first entry opened a session."""
    delivery = Delivery(Sessions(capacity=4), cast(Engine, engine))
    delivery.deliver([Entry(1, 0, memoryview(encode_open(FINGERPRINT, 9)))])
    return delivery


def deliver(delivery: Delivery, sequence: int) -> None:
    record = RECORD.pack(0, 1, 2, 3)
    payload = encode(KIND_COMMANDS, FINGERPRINT, OPENS_MAX, sequence, 0, STRIDE, record, 1, b"")
    delivery.deliver([Entry(1 + sequence, 0, memoryview(payload))])


def test_held_batches_are_published_when_asked_or_when_there_is_no_room_for_more() -> None:
    engine = SequentialEngine(KeyValueService(), 3, lambda *_: None, lambda: None)
    delivery = opened(engine)
    deliver(delivery, 1)
    assert (engine.waiting, engine.unpublished) == (1, 0)
    delivery.is_eager = False
    deliver(delivery, 2)
    deliver(delivery, 3)
    assert (engine.waiting, engine.unpublished) == (1, 2)
    deliver(delivery, 4)
    assert (engine.waiting, engine.unpublished) == (3, 0), "there is no room: who holds back would wait for ever"
