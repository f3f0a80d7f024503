"""Reports of an evaluation: JSON for programs, HTML for people."""
