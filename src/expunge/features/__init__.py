"""Features: what a network's last layer is given."""
