"""The verbs: intake, screen, refer, deliver, receive, track, withdraw. One file each; read them in this order.

Each begins with its plan as a numbered comment and walks it with the same numbers. Each runs in units of work: rows,
outbox and one audit event per act commit together, or the rows are undone and only the refusal is kept.
"""
