"""Outcomes: what was reported, as facts, and what it means for the worker, derived by versioned definitions."""
