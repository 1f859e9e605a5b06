"""How the public page stands: pure policy."""
