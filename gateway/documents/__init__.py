"""Documents: strict JSON, schemas, code tables, maps and FHIR rules. Bytes and data files in, findings out."""
