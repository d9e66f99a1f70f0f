"""The sparsity theorem: SGD paths from one start, and what its bound is made of."""
