"""The graph: nodes as plain data, the kinds that make them, and which nodes are missing."""
