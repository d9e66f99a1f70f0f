"""A grid of stages from a recipe, and the engine that runs it."""
