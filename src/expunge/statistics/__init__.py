"""Intervals and tests: over seeds for claims about methods, over samples for one model."""
