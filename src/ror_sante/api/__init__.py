"""The services: addresses and shapes; no TLS, no retry."""
