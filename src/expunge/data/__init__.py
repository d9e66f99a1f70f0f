"""Data: sources of inputs, and how they are decoded, divided, edited and augmented."""
