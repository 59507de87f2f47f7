"""Partners: the organisations we exchange with, what each one speaks and what it may be told.

Pure: profiles are data under `mappings/partners/<id>/`. It refuses to know cases, messages, keys on disk or storage.
"""
