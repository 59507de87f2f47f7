"""The clock's door: what runs without being asked. One process with threads, or many that a broker wakes."""
