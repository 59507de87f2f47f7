"""FHIR R4 (4.0.1): what a resource may hold, generated from the official definitions and checked in two passes.

`rules.FhirRules` is the door: first pass strict JSON Schemas, second pass compiled closures (`second_pass`) for what no
schema can say; before them a short way to a clean bill (`short_way`) for the usual form (`plain`). `generate` makes the
data under `schemas/fhir/r4` and runs in development only.

It refuses to be lenient: unknown elements, unknown types and unresolved references are findings, and no finding ever
quotes a value of the resource.
"""
