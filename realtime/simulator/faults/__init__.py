"""Faults a broker can have, switched on and off while the simulator runs."""
