"""The asyncio driver on a dealer that does not tell of what it has read already: no moment of arrival may be overlooked."""

from __future__ import annotations

import asyncio
import os
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from scripted_replica import ScriptedLog

from psmr.client import AsyncConnection, ClientSettings, ServiceIdentity, asynchronous, connect
from psmr.core.batch import parse_whole
from psmr.core.reply import parse_reply
from psmr.errors import InvalidCall
from psmr.transport import client_protocol as protocol

SERVICE = ServiceIdentity("Echo", 0xFEED, 8)
HOUR_US = 3_600_000_000
UNHURRIED = ClientSettings(retry_us=HOUR_US, retry_us_max=HOUR_US, timeout_us=HOUR_US, connect_timeout_us=HOUR_US)
USES = 12
"""More than the driver makes of the socket in one turn."""
TURNS = 6
"""Turns of the event loop within which what has arrived must have been taken."""

Act = Callable[[AsyncConnection], Awaitable[None]]


class EdgeDealer:
    """A dealer with a replica behind it. Its descriptor is readable from an arrival to the next look, which reads all there is.

    With `held`, replies to batches wait for `release`; or for the use after which `release_after` lets them arrive.
    """

    def __init__(self) -> None:
        self.held = False
        self._event = os.eventfd(0, os.EFD_NONBLOCK)
        self._log = ScriptedLog()
        self.due_us = None
        self._unread: deque[list[bytes]] = deque()
        self._inbox: deque[list[bytes]] = deque()
        self._waiting: list[list[bytes]] = []
        self._uses_left = -1

    @property
    def file_descriptor(self) -> int:
        return self._event

    @property
    def has_received(self) -> bool:
        return bool(self._inbox)

    def dial(self, address: str) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        self._unread.clear()
        self._inbox.clear()

    def release_after(self, uses: int) -> None:
        """What is held arrives right after the socket was used so often from now on."""
        self._uses_left = uses

    def release(self) -> None:
        """What is held arrives now."""
        waiting, self._waiting = self._waiting, []
        for frames in waiting:
            self._arrive(frames)

    def transmit(self, frames: list[bytes]) -> None:
        request = protocol.decode_request(frames)
        if isinstance(request, protocol.Hello):
            self._arrive(protocol.encode_welcome("edges", 1, 1, [(1, "inproc://edges")]))
        elif isinstance(request, protocol.Submit):
            reply = self._log.deliver(parse_whole(request.batch))
            assert reply is not None
            self._waiting.append(protocol.encode_reply_message(reply))
        self._used()
        if not self.held:
            self.release()

    def receive(self) -> list[bytes] | None:
        if not self._inbox:
            with suppress(BlockingIOError):
                os.eventfd_read(self._event)
            self._inbox, self._unread = self._unread, self._inbox
        frames = self._inbox.popleft() if self._inbox else None
        self._used()
        return frames

    def _used(self) -> None:
        self._uses_left -= 1
        if self._uses_left == 0:
            self.release()

    def _arrive(self, frames: list[bytes]) -> None:
        self._unread.append(frames)
        os.eventfd_write(self._event, 1)


async def turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def pass_time(connection: AsyncConnection) -> None:
    """The driver's timer fires, though nothing is due: it was armed for something earlier."""
    loop = asyncio.get_running_loop()
    clock = loop.time
    loop.time = lambda: clock() + 2 * HOUR_US / 1e6  # type: ignore[method-assign]


async def call(connection: AsyncConnection) -> None:
    connection.call(struct.pack("<Q", 8))


async def submit(connection: AsyncConnection) -> None:
    connection.submit(struct.pack("<Q", 8), 1)


@pytest.mark.parametrize("uses", range(1, USES))
@pytest.mark.parametrize("act", [pass_time, call, submit])
def test_a_reply_is_taken_whenever_it_arrives(act: Act, uses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right after any use of the socket, or after the last one."""
    dealer = EdgeDealer()
    monkeypatch.setattr(asynchronous, "Dealer", lambda: dealer)

    async def scenario() -> None:
        async with await connect(["inproc://edges"], SERVICE, UNHURRIED) as connection:
            await connection.submit(struct.pack("<Q", 6), 1)
            dealer.held = True
            answer = connection.submit(struct.pack("<Q", 7), 1)
            await turns()
            dealer.release_after(uses)
            await act(connection)
            await turns()
            dealer.held = False
            dealer.release()
            await turns()
            assert answer.done()
            assert bytes(parse_reply(answer.result()).records) == struct.pack("<Q", 7)

    asyncio.run(scenario())


def test_a_reply_is_taken_that_arrives_before_a_batch_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call made earlier is sent first, and to send is to use the socket."""
    dealer = EdgeDealer()
    monkeypatch.setattr(asynchronous, "Dealer", lambda: dealer)

    async def scenario() -> None:
        async with await connect(["inproc://edges"], SERVICE, UNHURRIED) as connection:
            await connection.submit(struct.pack("<Q", 6), 1)
            dealer.held = True
            answer = connection.submit(struct.pack("<Q", 7), 1)
            later = connection.call(struct.pack("<Q", 8))
            await turns()
            dealer.release()
            with pytest.raises(InvalidCall):
                connection.submit(b"x" * 18, 2)
            await turns()
            assert answer.done()
            dealer.release()
            await later

    asyncio.run(scenario())


def test_more_replies_than_are_taken_in_a_turn_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have all been read when the first is taken, so nothing is readable any more."""
    dealer = EdgeDealer()
    monkeypatch.setattr(asynchronous, "Dealer", lambda: dealer)
    monkeypatch.setattr(asynchronous, "_MESSAGES_A_TURN", 3)

    async def scenario() -> None:
        async with await connect(["inproc://edges"], SERVICE, UNHURRIED) as connection:
            await connection.submit(struct.pack("<Q", 6), 1)
            dealer.held = True
            answers = [connection.submit(struct.pack("<Q", number), 1) for number in range(10)]
            await turns()
            dealer.release()
            await turns()
            assert all(answer.done() for answer in answers)

    asyncio.run(scenario())
