"""Mistakes where another version of the service takes over."""

from __future__ import annotations

from psmr.simulation.faults.planting import PlantedFault as Fault

_DELIVERY = "psmr.replica.delivery"
_PLAN = "psmr.replica.snapshots"

VERSION_FAULTS = (
    Fault(
        "entries behind a version executed by the one before",
        _DELIVERY,
        "                    self._succeed(entry)\n                    break\n",
        "                    self._succeed(entry)\n",
        seeds=300,
    ),
    Fault(
        "snapshot at a version for the one before",
        _PLAN,
        "        follows = delivery.successor.fingerprint if delivery.successor is not None else None\n",
        "        follows = None\n",
        seeds=200,
    ),
    Fault(
        "batch of another version executed",
        _DELIVERY,
        "            if batch.fingerprint != self.engine.service.fingerprint:\n",
        "            if False:\n",
        seeds=300,
    ),
)
