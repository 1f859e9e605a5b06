"""What the public page shows, and nothing that it does not."""
