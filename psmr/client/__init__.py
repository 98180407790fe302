"""Clients of a cluster: one for asyncio, one that blocks. Generated proxies are written against these.

connection = await connect(["10.0.0.1:7000"], ServiceIdentity("Accounts", fingerprint, stride))
reply = await connection.submit(records, count)            # a batch
record, blob = await connection.call(record)               # one command; calls of one turn share a batch
"""

from psmr.client.asynchronous import AsyncConnection, connect
from psmr.client.blocking import BlockingConnection, Pending, connect_blocking
from psmr.client.coalescing import CallResult, Rebase
from psmr.client.settings import ClientSettings, ServiceIdentity
from psmr.client.status import fetch_status

__all__ = [
    "AsyncConnection",
    "BlockingConnection",
    "CallResult",
    "ClientSettings",
    "Pending",
    "Rebase",
    "ServiceIdentity",
    "connect",
    "connect_blocking",
    "fetch_status",
]
