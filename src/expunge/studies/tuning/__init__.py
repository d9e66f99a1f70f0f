"""Choosing hyper-parameters: the search space, what is minimised, and the trials."""
