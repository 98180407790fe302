"""One replica: takes batches in, has them ordered, executes them, answers."""
