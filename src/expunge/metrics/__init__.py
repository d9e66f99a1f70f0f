"""What is measured: pure functions of logits, labels and weights."""
