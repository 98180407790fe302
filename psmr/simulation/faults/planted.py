"""The list: mistakes that implementations have made, or might, one line each."""

from __future__ import annotations

from psmr.simulation.faults.planted_digests import DIGEST_FAULTS
from psmr.simulation.faults.planted_events import EVENT_FAULTS
from psmr.simulation.faults.planted_members import MEMBER_FAULTS
from psmr.simulation.faults.planted_snapshots import SNAPSHOT_FAULTS
from psmr.simulation.faults.planted_versions import VERSION_FAULTS
from psmr.simulation.faults.planting import PlantedFault as Fault

_NODE = "psmr.core.raft.node"
_MEMBER = "psmr.core.raft.member"
_FOLLOWING = "psmr.core.raft.following"
_LEADERSHIP = "psmr.core.raft.leadership"
_MEMBERSHIP = "psmr.core.raft.membership"
_READS = "psmr.core.raft.reads"
_SESSIONS = "psmr.core.sessions"
_SUBMISSION = "psmr.core.submission"
_LOG = "psmr.log.raft_log"
_DELIVERY = "psmr.replica.delivery"
_REPLICA_READS = "psmr.replica.reads"
_SCAN = "psmr.storage.scan"

CONSENSUS_FAULTS = (
    Fault(
        "ack before fsync",
        _FOLLOWING,
        "        durable_index = min(durable_index, self.verified_index)\n        self._answered_round",
        "        durable_index = self.verified_index\n        self._answered_round",
    ),
    Fault(
        "ack of unverified entries",
        _FOLLOWING,
        "        durable_index = min(durable_index, self.verified_index)\n        self._answered_round",
        "        self._answered_round",
        core=True,
        seeds=300,
    ),
    Fault(
        "leader counts itself before fsync",
        _NODE,
        "leadership.majority_index(self._durable_index)",
        "leadership.majority_index(self._log.last_index)",
    ),
    Fault(
        "vote twice in a term",
        _NODE,
        "granted = granted and self._voted_for in (None, sender)",
        "granted = granted and (self._voted_for in (None, sender) or self._role is Role.FOLLOWER)",
        core=True,
        replicas=5,
        seeds=150,
    ),
    Fault(
        "vote not saved",
        _NODE,
        "            self._voted_for = sender\n",
        "            pass\n",
        core=True,
        replicas=5,
        seeds=150,
    ),
    Fault(
        "vote for a shorter log",
        _MEMBER,
        "return (message.last_term, message.last_index) >= (self._log.last_term, self._log.last_index)",
        "return True",
    ),
    Fault(
        "vote by length before term",
        _MEMBER,
        "return (message.last_term, message.last_index) >= (self._log.last_term, self._log.last_index)",
        "return message.last_index >= self._log.last_index",
        core=True,
        seeds=300,
    ),
    Fault(
        "commit of an older term's entry by counting",
        _NODE,
        "if index <= self._commit or not self._may_commit(index):",
        "if index <= self._commit:",
        core=True,
        seeds=150,
    ),
    Fault(
        "commit by one less than a majority",
        _LEADERSHIP,
        "return matches[-self._majority]",
        "return matches[1 - self._majority]",
    ),
    Fault(
        "follower commits what the leader may not have",
        _NODE,
        "self._advance_commit(min(message.commit, following.verified_index))",
        "self._advance_commit(min(message.commit, self._log.last_index))",
    ),
    Fault(
        "previous entry not compared",
        _NODE,
        "if self._log.term_at(message.prev_index) != message.prev_term:",
        "if self._log.term_at(message.prev_index) is None:",
        core=True,
        seeds=150,
    ),
    Fault(
        "held entries not compared",
        _FOLLOWING,
        "        if log.term_at(index) != term:\n",
        "        if log.term_at(index) is None:\n",
        core=True,
        seeds=150,
    ),
    Fault(
        "truncation below commit",
        _MEMBER,
        "self._effects.append(Truncate(first_index))",
        "self._effects.append(Truncate(first_index - 1))",
    ),
    Fault(
        "durable after a truncation",
        _MEMBER,
        "            self._durable_index = min(self._durable_index, first_index - 1)\n",
        "",
        core=True,
        seeds=150,
    ),
    Fault(
        "sync from before a truncation believed",
        _NODE,
        "if event.truncations not in (None, self._truncations) or self._log.term_at(event.index) != event.term:",
        "if self._log.term_at(event.index) is None:",
        core=True,
        replicas=5,
        seeds=150,
    ),
    Fault(
        "old leader not deposed",
        _NODE,
        "            self._follow(message.term, None)\n        if isinstance(message, AppendAccepted):",
        "            pass\n        if isinstance(message, AppendAccepted):",
    ),
    Fault("rejection ignored", _NODE, "            leadership.rejected(sender, message)\n", "", core=True, seeds=60),
    Fault(
        "read without confirmed index",
        _READS,
        "while self._asked and self._asked[0].round <= answered_round:",
        "while self._asked:",
        core=True,
        seeds=150,
    ),
    Fault(
        "read before the leader knows what is committed",
        _NODE,
        "return self._log.term_at(self._commit) == self._term",
        "return True",
        core=True,
        seeds=150,
    ),
    Fault(
        "read round counted too early",
        _LEADERSHIP,
        "return rounds[-self._majority]",
        "return rounds[-1]",
        core=True,
        seeds=150,
    ),
)

COMPACTION_FAULTS = (
    Fault(
        "entries below the base not skipped",
        _FOLLOWING,
        "entry_terms=message.entry_terms[gone:]",
        "entry_terms=message.entry_terms",
        core=True,
        seeds=150,
    ),
    Fault(
        "leader sends what its log has forgotten",
        _LEADERSHIP,
        "        if first <= self._log.base_index:\n            return None\n",
        "",
        core=True,
        seeds=60,
    ),
    Fault(
        "snapshot not offered",
        _NODE,
        "            if leadership.offers_snapshot(sender, self._now_us):\n",
        "            if False:\n",
        core=True,
        seeds=60,
    ),
)

MEMBERSHIP_FAULTS = (
    Fault(
        "membership changed before the change before is committed",
        _NODE,
        "        if self.membership_index > self._commit:\n",
        "        if False:\n",
        core=True,
        seeds=60,
    ),
    Fault(
        "membership changed by a leader that has committed nothing",
        _NODE,
        "        if not self._knows_commit():\n            return ",
        "        if False:\n            return ",
        core=True,
        seeds=60,
    ),
    Fault(
        "two voters changed at once",
        _MEMBERSHIP,
        "    if len(differing) > 1:\n",
        "    if len(differing) > 2:\n",
        core=True,
        seeds=60,
    ),
    Fault(
        "learner counts for the majority",
        _LEADERSHIP,
        "voting = tuple(voter for voter in membership.voters if voter != self._me)",
        "voting = tuple(others)",
        core=True,
        seeds=60,
    ),
    Fault(
        "removed leader counts itself",
        _LEADERSHIP,
        "self._counts_me = self._me in membership.voters",
        "self._counts_me = True",
        core=True,
        seeds=60,
    ),
    Fault(
        "vote of a stranger counted",
        _NODE,
        "        if voter in self._membership.voters:\n            self._votes",
        "        if True:\n            self._votes",
        core=True,
        seeds=300,
    ),
    Fault(
        "membership not rolled back with its entry",
        _MEMBER,
        "            self._memberships.truncate(first_index)\n",
        "",
        core=True,
        seeds=150,
    ),
    Fault(
        "removed replica never stands",
        _MEMBERSHIP,
        "return any(me in membership.voters for _, membership in self._history)",
        "return me in self._history[-1][1].voters",
        core=True,
        seeds=300,
    ),
)

PATH_FAULTS = (
    Fault(
        "forgotten duplicate check",
        _SESSIONS,
        "        if sequence <= session.last:\n",
        "        if sequence < session.last:\n",
    ),
    Fault("gap in a session accepted", _SESSIONS, "        if sequence != session.last + 1:\n", "        if False:\n"),
    Fault(
        "reply cached under the wrong sequence",
        _SESSIONS,
        "Duplicate(session.replies.get(sequence), executing)",
        "Duplicate(session.replies.get(session.last), executing)",
        seeds=200,
    ),
    Fault(
        "reply not kept",
        _SESSIONS,
        "        session.replies[event.sequence] = event.reply\n",
        "        session.replies[event.sequence] = b''\n",
        seeds=200,
    ),
    Fault(
        "two sessions with one id",
        _SESSIONS,
        "identity = event.index * OPENS_MAX + event.ordinal",
        "identity = OPENS_MAX + event.ordinal",
    ),
    Fault(
        "answered before it was",
        _SUBMISSION,
        "effects.append(SendBatch(self._session, sequence, self._lowest_unanswered() - 1, entry.parts))",
        "effects.append(SendBatch(self._session, sequence, sequence - 1, entry.parts))",
    ),
    Fault(
        "retried under a new sequence",
        _SUBMISSION,
        "                    self._send_batch(sequence, entry, now_us, effects)\n        limit",
        "                    self._send_batch(self._next_sequence, entry, now_us, effects)\n        limit",
    ),
    Fault(
        "unknown told as refused",
        _SUBMISSION,
        "        return self.attempts == self.refusals\n",
        "        return self.refusals > 0\n",
        seeds=200,
    ),
    Fault(
        "nothing sent again",
        _SUBMISSION,
        "        self._cursor = self._lowest_unanswered()\n        self._reads.connect",
        "        self._reads.connect",
    ),
    Fault(
        "delivered before it is committed",
        _LOG,
        "self.committed = index\n        self._store.mark",
        "self.committed = self._store.last_index\n        self._store.mark",
    ),
    Fault(
        "vote saved only with a new term",
        _MEMBER,
        "if self._term != self._saved.term or self._voted_for != self._saved.voted_for:",
        "if self._term != self._saved.term:",
        core=True,
    ),
    Fault(
        "read does not wait for its index",
        _REPLICA_READS,
        "            if index > delivered:\n",
        "            if False:\n",
        seeds=600,
    ),
    Fault(
        "duplicate not answered", _DELIVERY, "            if decision.reply is not None:\n", "            if False:\n"
    ),
    Fault(
        "delivery answers before execution",
        _DELIVERY,
        "            self.sessions.handle(at.Executed(executed.session, executed.sequence, executed.reply))\n",
        "",
        seeds=200,
    ),
    Fault(
        "torn write accepted",
        _SCAN,
        "        if digest(data[body:stop], digest(data[offset : offset + seeded_bytes])) != checksum:\n            break\n",
        "",
        seeds=300,
    ),
)

FAULTS = (
    *CONSENSUS_FAULTS,
    *COMPACTION_FAULTS,
    *MEMBERSHIP_FAULTS,
    *PATH_FAULTS,
    *SNAPSHOT_FAULTS,
    *MEMBER_FAULTS,
    *EVENT_FAULTS,
    *VERSION_FAULTS,
    *DIGEST_FAULTS,
)
