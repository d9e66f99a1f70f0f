"""The one training loop, its schedules and prediction."""
