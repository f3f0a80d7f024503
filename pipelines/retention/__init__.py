"""What is kept of all that runs leave behind, and what goes."""
