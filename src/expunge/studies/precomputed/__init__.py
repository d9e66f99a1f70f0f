"""Models from elsewhere, by the logits and margins that they gave, not by their weights."""
