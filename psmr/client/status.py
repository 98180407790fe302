"""Asking one replica how it is. Needs no session and no service."""

from __future__ import annotations

import time
from typing import Any

from psmr.client.dealer import Dealer
from psmr.client.settings import endpoint
from psmr.errors import ClusterUnavailable
from psmr.transport import client_protocol as protocol


def fetch_status(address: str, *, digest: bool = False, timeout_us: int = 2_000_000) -> dict[str, Any]:
    """The status of the replica at `address`, with a digest of its state if asked for.

    Raises `ClusterUnavailable` when none comes within `timeout_us`.
    """
    dealer = Dealer()
    dealer.dial(endpoint(address))
    heard = "nothing"
    try:
        dealer.transmit(protocol.encode_ask_status(digest))
        until_us = _now_us() + timeout_us
        while (left_us := until_us - _now_us()) > 0:
            dealer.wait(left_us)
            while (frames := dealer.receive()) is not None:
                try:
                    message = protocol.decode_response(frames)
                except protocol.MalformedMessage as error:
                    heard = str(error)
                    continue
                if isinstance(message, protocol.StatusIs):
                    return message.status
                heard = str(message)
    finally:
        dealer.hang_up()
    raise ClusterUnavailable(f"{address}: expected a status within {timeout_us / 1000:g} ms, heard {heard}")


def _now_us() -> int:
    return time.monotonic_ns() // 1000
