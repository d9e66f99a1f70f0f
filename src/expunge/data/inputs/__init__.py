"""Network inputs by index: images, vectors and tokens, and their placement."""
