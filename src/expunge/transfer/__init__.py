"""Transfer learning: what a source model is worth for a target task, and which classes harm it."""
