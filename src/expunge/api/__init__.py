"""The Python API: split, prune, unlearn and evaluate, with any model and any data."""
