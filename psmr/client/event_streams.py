"""Following events with a socket of one's own, blocking or on an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress

from psmr.client.dealer import Dealer
from psmr.client.following import Following, ServiceEvent


def follow_blocking(following: Following) -> Iterator[ServiceEvent]:
    """The events, for ever; closing the iterator hangs up."""
    dealer = Dealer()
    try:
        while True:
            _turn(following, dealer)
            dealer.wait(max(0, following.due_us - _now_us()))
            _receive(following, dealer)
            yield from following.take()
    finally:
        dealer.hang_up()


async def follow(following: Following) -> AsyncGenerator[ServiceEvent]:
    """The events, for ever; closing the generator hangs up."""
    dealer = Dealer()
    try:
        while True:
            _turn(following, dealer)
            await _wait(dealer, following.due_us - _now_us())
            _receive(following, dealer)
            for event in following.take():
                yield event
    finally:
        dealer.hang_up()


def _turn(following: Following, dealer: Dealer) -> None:
    address = following.dial(_now_us())
    if address is not None:
        dealer.dial(address)
    for frames in following.outgoing(_now_us()):
        dealer.transmit(frames)


def _receive(following: Following, dealer: Dealer) -> None:
    while (frames := dealer.receive()) is not None:
        following.receive(frames, _now_us())


async def _wait(dealer: Dealer, timeout_us: int) -> None:
    """Until a message may be waiting, or the time is over."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    descriptor = dealer.file_descriptor
    if dealer.due_us is not None:
        timeout_us = min(timeout_us, dealer.due_us - _now_us())
    loop.add_reader(descriptor, readable.set)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(readable.wait(), max(0, timeout_us) / 1e6)
    finally:
        loop.remove_reader(descriptor)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
