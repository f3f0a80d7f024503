"""Release: from an evaluated run to what may be served."""
