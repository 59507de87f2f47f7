"""The partners' door: HTTP in, verbs behind it, signed receipts and problems out."""
