"""`psmr demo`: a cluster under load loses its leader, recovers, and is checked."""
