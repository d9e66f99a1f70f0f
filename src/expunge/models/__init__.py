"""Networks, and how to build them."""
