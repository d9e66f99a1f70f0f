"""What is studied: each study makes a graph of nodes and collects a document from the store."""
