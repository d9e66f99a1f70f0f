"""What a network reads: images, vectors and tokens, by index, and where they lie."""
