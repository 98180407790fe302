"""What a client is told once: which service it calls, how much it may have under way, how patient it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from psmr.core.batch import RECORDS_MAX
from psmr.core.submission import Limits
from psmr.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ServiceIdentity:
    """The service a client calls: `stride` is the size of its widest command record in bytes, `rows_max` of a batch's commands."""

    name: str
    fingerprint: int
    stride: int
    rows_max: int = RECORDS_MAX


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How a connection behaves.

    `timeout_us` is the time a call has to be answered, `connect_timeout_us` the time to find a replica. A replica that
    makes no progress for `retry_us` is left for the next one; doubled while none does, up to `retry_us_max`. Long before, after
    `ask_us` without an answer, it is greeted again, and left if its welcome takes longer than `welcome_us`: doubled while every
    replica takes longer; twice what the welcome before took, if that is more; at most `retry_us_max`. At most
    `window_batches` are sent but unanswered; at most `queue_batches` of `queue_bytes` together wait to be sent, and
    `queue_calls` single calls to be packed; reads have as much again. After a refusal nothing is sent for `pause_us`,
    doubled up to `retry_us`. While `call_batches` batches are unanswered, single calls wait for each other's company: fewer and
    larger batches make all of them faster. With `reads_in_log` what only reads is ordered through the log like everything else.
    """

    window_batches: int = 16
    queue_batches: int = 4_096
    queue_bytes: int = 256 << 20
    queue_calls: int = 1 << 20
    timeout_us: int = 10_000_000
    connect_timeout_us: int = 5_000_000
    retry_us: int = 500_000
    retry_us_max: int = 8_000_000
    ask_us: int = 50_000
    welcome_us: int = 100_000
    pause_us: int = 5_000
    prefer_leader: bool = True
    reads_in_log: bool = False
    call_batches: int = 1

    def limits(self) -> Limits:
        """What the submission core needs of it."""
        return Limits(
            window_batches=self.window_batches,
            queue_batches=self.queue_batches,
            queue_bytes=self.queue_bytes,
            retry_us=self.retry_us,
            retry_us_max=self.retry_us_max,
            pause_us=self.pause_us,
        )


@lru_cache(maxsize=256)  # every welcome names the same few
def endpoint(address: str) -> str:
    """The endpoint of `address`: itself, or `host:port` over TCP. Raises `ConfigurationError`."""
    scheme, _, place = address.rpartition("://")
    if scheme not in ("", "tcp"):
        return address
    host, _, port = place.rpartition(":")
    if not (host and port.isdigit() and 0 < int(port) < 1 << 16):
        raise ConfigurationError(f"expected an address as host:port or scheme://…, found {address!r}")
    return f"tcp://{place}"
