"""Raft as a pure machine: `Raft.handle(event) -> effects`; clock, network, disk and payloads are the runtime's.

After Ongaro and Ousterhout, *In Search of an Understandable Consensus Algorithm* (USENIX ATC 2014), with pre-vote,
check-quorum and leader stickiness (Ongaro's thesis, 9.6 and 6.2), membership by single-server changes (4), log compaction
(5) and the pipelined replication of etcd-io/raft.
"""

from psmr.core.raft.effects import (
    NOOP,
    Append,
    Commit,
    Effect,
    MembershipChanged,
    MembershipRefused,
    ReadConfirmed,
    ReadRejected,
    Rejected,
    RoleChanged,
    SaveHardState,
    Send,
    SendEntries,
    SendSnapshot,
    Truncate,
)
from psmr.core.raft.events import (
    Compacted,
    ConfirmRead,
    Event,
    Heard,
    Propose,
    ProposeMembership,
    Receive,
    Synced,
    Tick,
    Unreachable,
)
from psmr.core.raft.log_terms import LogTerms
from psmr.core.raft.membership import Membership
from psmr.core.raft.messages import (
    AppendAccepted,
    AppendEntries,
    AppendRejected,
    Message,
    PreVoteReply,
    PreVoteRequest,
    VoteReply,
    VoteRequest,
)
from psmr.core.raft.node import Raft
from psmr.core.raft.settings import HardState, Role, Settings

__all__ = [
    "NOOP",
    "Append",
    "AppendAccepted",
    "AppendEntries",
    "AppendRejected",
    "Commit",
    "Compacted",
    "ConfirmRead",
    "Effect",
    "Event",
    "HardState",
    "Heard",
    "LogTerms",
    "Membership",
    "MembershipChanged",
    "MembershipRefused",
    "Message",
    "PreVoteReply",
    "PreVoteRequest",
    "Propose",
    "ProposeMembership",
    "Raft",
    "ReadConfirmed",
    "ReadRejected",
    "Receive",
    "Rejected",
    "Role",
    "RoleChanged",
    "SaveHardState",
    "Send",
    "SendEntries",
    "SendSnapshot",
    "Settings",
    "Synced",
    "Tick",
    "Truncate",
    "Unreachable",
    "VoteReply",
    "VoteRequest",
]
