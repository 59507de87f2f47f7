"""Measurements: what the gateway does in a second, against a named floor, in one run on one machine."""
