"""Sockets without threads: between replicas, and between clients and replicas."""
