"""Say what works, what does not, and why."""
