"""Faults that the simulation must catch, each by name: this tests the tests. `psmr sim --fault all`."""

from psmr.simulation.faults.catching import Caught, catch
from psmr.simulation.faults.planted import FAULTS
from psmr.simulation.faults.planting import PlantedFault, planted

__all__ = ["FAULTS", "Caught", "PlantedFault", "catch", "planted"]
