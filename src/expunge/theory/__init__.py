"""The sparsity theorem: SGD paths from one start, and the terms of its bound."""
