"""Ahead, as the verbs know it: see `gateway.ahead`."""

from gateway.ahead import ahead, chunks

__all__ = ["ahead", "chunks"]
