"""The ``ror-sante`` command."""
