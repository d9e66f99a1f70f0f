"""Choosing hyper-parameters: the search space, the objectives, and the trials."""
