"""Reports of a check for drift: JSON for programs, HTML for people."""
