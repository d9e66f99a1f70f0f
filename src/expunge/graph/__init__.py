"""What depends on what: nodes as plain data, the kinds that make them, and what is missing."""
