"""The exchange log: what was done or refused, in a form that can be checked later. Today: the audit event."""
