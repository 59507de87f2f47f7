"""A small witness (C2SP tlog-witness): it cosigns the checkpoints of logs it was told to watch, if they only grew.

It shares the tree and the notes with the gateway, and nothing else: no table, no key, no settings, no process. Run it
where the gateway's administrators have no say, or its word is worth no more than theirs.
"""
