"""Networks, and `build()`."""
