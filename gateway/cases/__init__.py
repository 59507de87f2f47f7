"""Cases: what COMWEL knows about one injured worker, and what may be done with it.

Pure: no I/O but data files named by the caller, no clock, no ids. It refuses to know partners, messages or storage.
"""
