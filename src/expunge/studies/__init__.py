"""Studies: each plans a graph of nodes, and collects a document from the store."""
