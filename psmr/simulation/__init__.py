"""A seeded simulator of the production Raft nodes, with virtual time, network and disks.

python -m psmr.simulation --seeds 1000 --replicas 3     run seeds 0 to 999
python -m psmr.simulation --seed 17 --replicas 3 --trace  replay one, step by step
"""

from psmr.simulation.simulation import Simulation, SimulationResult, simulate

__all__ = ["Simulation", "SimulationResult", "simulate"]
