"""Sessions, retries, tokens, and the one way out to the network."""
