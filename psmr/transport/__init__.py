"""pyzmq sockets: between replicas, and between clients and replicas."""
