"""A stand-in for the services on loopback."""
