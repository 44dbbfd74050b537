"""The faults of the simulator: what one is, those of each service, and the queue of those in force."""
