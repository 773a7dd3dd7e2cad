"""Faults of a broker, switched on and off while the simulator runs."""
