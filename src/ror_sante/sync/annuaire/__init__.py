"""Extractions of the Annuaire Santé on the disk: fetched, checked, read."""
