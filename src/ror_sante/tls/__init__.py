"""One TLS context and one adapter that nothing widens."""
