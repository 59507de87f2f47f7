"""The exchange log: what was done or refused, in a form that strangers can check."""
