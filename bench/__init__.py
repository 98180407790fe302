"""Benchmarks: one file a question. `psmr bench NAME`."""
