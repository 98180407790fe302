"""What generated clients are made of; of the engine they import this module and no other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from proxies.columns import BoolColumn, BytesColumn, FixedColumn, FloatColumn, IntColumn
from psmr.client.async_client import Answer, BaseAsyncBatch, BaseAsyncClient, BaseAsyncCommand, BaseAsyncDriver
from psmr.client.blocking_client import (
    BaseBlockingBatch,
    BaseBlockingClient,
    BaseBlockingCommand,
    BaseBlockingDriver,
    PendingReplies,
    PendingReply,
)
from psmr.client.builder import BatchBuilder
from psmr.client.commands import ServiceProxy
from psmr.client.replies import Replies

__all__ = [
    "Answer",
    "BaseAsyncBatch",
    "BaseAsyncClient",
    "BaseAsyncCommand",
    "BaseAsyncDriver",
    "BaseBlockingBatch",
    "BaseBlockingClient",
    "BaseBlockingCommand",
    "BaseBlockingDriver",
    "BatchBuilder",
    "BoolColumn",
    "BytesColumn",
    "FixedColumn",
    "FloatColumn",
    "IntColumn",
    "NDArray",
    "PendingReplies",
    "PendingReply",
    "Replies",
    "ServiceProxy",
    "np",
]
