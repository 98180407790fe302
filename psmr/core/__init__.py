"""The pure machines: `handle(event) -> effects`, without clock, disk, network or randomness."""
