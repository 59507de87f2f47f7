"""The clock's door: what runs without being asked. Today the embedded runner, one process with threads."""
