"""The ordered log: a port, and the adapters behind it."""

from psmr.log.memory_log import MemoryLog
from psmr.log.port import Entry, LogStatus, OrderedLog
from psmr.log.raft_log import RaftLog

__all__ = ["Entry", "LogStatus", "MemoryLog", "OrderedLog", "RaftLog"]
