"""`connect` and `connect_blocking`: from a service's class and an address to a client of it.

The client's classes are generated, so no type checker knows them here: its commands take any arguments and are checked
when they are called. For commands that are typed and complete in an editor, write the classes to a file of the project
(`psmr proxies write module:Class folder`) and say `AsyncKV.connect(...)` or `BlockingKV.connect(...)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from cdep import StateMachine, service_of
from psmr.client.async_client import BaseAsyncClient, Connecting
from psmr.client.blocking_client import BaseBlockingClient
from psmr.client.untyped import AnyAsyncClient, AnyBlockingClient
from psmr.proxy_files import client_module


def connect(
    owner: type[StateMachine],
    addresses: str | Sequence[str],
    *more: str,
    timeout_s: float = 10.0,
    connect_timeout_s: float = 5.0,
    window: int = 16,
    prefer_leader: bool = True,
    reads_in_log: bool = False,
) -> Connecting[AnyAsyncClient]:
    """An asynchronous client of a service: `async with connect(KV, "127.0.0.1:7201") as kv: await kv.get(b"key")`.

    Addresses may be one, several arguments, or a list: those of some replicas of one cluster, of which any that answers will do.
    A call has `timeout_s` to be answered; `window` batches may be unanswered at a time. Raises `ServiceMismatch` when
    the cluster runs another service, `ClusterUnavailable` when no replica said welcome within `connect_timeout_s`.

    Commands declared with `access="read"` are executed by the replica that takes them in, without an entry in the log,
    and are linearizable all the same; `prefer_leader=False` spreads them over the replicas. `reads_in_log` orders them
    like the others: then a batch of them stands in the log, and later calls cannot overtake it.
    """
    client: type[BaseAsyncClient] = getattr(client_module(owner), f"Async{service_of(owner).name}")
    connecting = client.connect(
        addresses,
        *more,
        timeout_s=timeout_s,
        connect_timeout_s=connect_timeout_s,
        window=window,
        prefer_leader=prefer_leader,
        reads_in_log=reads_in_log,
    )
    return cast("Connecting[AnyAsyncClient]", connecting)


def connect_blocking(
    owner: type[StateMachine],
    addresses: str | Sequence[str],
    *more: str,
    timeout_s: float = 10.0,
    connect_timeout_s: float = 5.0,
    window: int = 16,
    prefer_leader: bool = True,
    reads_in_log: bool = False,
) -> AnyBlockingClient:
    """A blocking client of a service, connected: `with connect_blocking(KV, "127.0.0.1:7201") as kv: kv.get(b"key")`.

    Options and errors as for `connect`.
    """
    client: type[BaseBlockingClient] = getattr(client_module(owner), f"Blocking{service_of(owner).name}")
    connected = client.connect(
        addresses,
        *more,
        timeout_s=timeout_s,
        connect_timeout_s=connect_timeout_s,
        window=window,
        prefer_leader=prefer_leader,
        reads_in_log=reads_in_log,
    )
    return cast(AnyBlockingClient, connected)
