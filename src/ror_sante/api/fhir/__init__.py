"""FHIR R4 as the ROR speaks it: bundles, search parameters, outcomes."""
