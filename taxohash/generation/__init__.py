"""A generation: a hasher and the codes it made, as a folder. No torch."""
