"""How far a service can be executed in parallel, predicted: its commands as columns, what they cost here, and the answer told."""
