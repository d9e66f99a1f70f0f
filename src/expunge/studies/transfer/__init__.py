"""Transfer learning: which source classes harm a target task, and what forgetting them gives."""
