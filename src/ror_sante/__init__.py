"""Mutual-TLS client for the French ROR web services."""

from ror_sante._version import __version__

__all__ = ["__version__"]
