"""Mistakes around the digests by which replicas find out that they have parted: who is accused, who stops, and where."""

from __future__ import annotations

from psmr.simulation.faults.planting import PlantedFault as Fault

_ROLLING = "psmr.core.rolling"
_DIVERGENCE = "psmr.core.divergence"
_PARTING = "psmr.replica.parting"
_DELIVERY = "psmr.replica.delivery"
_THREAD = "psmr.replica.snapshot_thread"

DIGEST_FAULTS = (
    Fault(
        "digest told of an entry not executed to its end",
        _DELIVERY,
        "            return self._executing[0].index - 1\n",
        "            return self._executing[0].index\n",
        seeds=300,
    ),
    Fault(
        "what commands did not in the snapshot",
        _THREAD,
        "        mark = None if self._rolling is None else self._rolling.mark\n",
        "        mark = None\n",
        seeds=300,
    ),
    Fault(
        "the minority goes on",
        _PARTING,
        "            raise ReplicaParted(self._core.parted)\n",
        "            pass\n",
    ),
    Fault(
        "two that did the same taken for a majority",
        _DIVERGENCE,
        "        return 2 * len(group & self._voters) > len(self._voters)\n",
        "        return len(group & self._voters) > 1\n",
        replicas=5,
    ),
    Fault(
        "stops before enough is known",
        _DIVERGENCE,
        "        if 2 * (largest + unknown) > len(self._voters):\n",
        "        if False:\n",
    ),
    Fault(
        "first entry not looked for",
        _DIVERGENCE,
        "            known.is_found = known.differs - 1 <= max(known.agreed, known.floor)\n",
        "            known.is_found = True\n",
    ),
    Fault(
        "what was done before a restart held against it",
        _DIVERGENCE,
        "                known.differs, known.is_found = None, False  # it has",
        "                pass  # it has",
        seeds=300,
    ),
    Fault(
        "sums that began elsewhere compared as they are",
        _DIVERGENCE,
        "            known.shift, known.agreed = (total - mine) & _MASK, index\n",
        "            known.shift, known.agreed = 0, index\n",
        seeds=300,
    ),
    Fault(
        "another sum of a peer taken for the one before",
        _DIVERGENCE,
        "        if known is None or known.origin != message.origin:\n",
        "        if known is None:\n",
        seeds=300,
    ),
    Fault(
        "entry counted with the one before",
        _ROLLING,
        "            self._fill(index - 1)\n",
        "            pass\n",
        seeds=300,
    ),
    Fault(
        "those that parted before counted with the unknown",
        _DIVERGENCE,
        "        unknown = len(self._voters) - len(mine) - len(others) - apart\n",
        "        unknown = len(self._voters) - len(mine) - len(others)\n",
        replicas=5,
        seeds=300,
    ),
)
