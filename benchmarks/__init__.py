"""Speed and memory, each figure measured in one run and standing beside its floor."""
