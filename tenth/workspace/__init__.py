"""What outlives a process: configuration, database, arrays, models and the inbox."""
