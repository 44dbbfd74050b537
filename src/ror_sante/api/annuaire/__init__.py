"""The Annuaire Santé: its FHIR gateway and its extraction downloads."""
