"""Copies of the directory on disk: exports that survive interruptions, and snapshots that are whole or not there."""
