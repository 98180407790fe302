"""`psmr chaos`: faults injected into the processes of a local cluster while clients work."""
