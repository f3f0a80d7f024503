"""Whether a collection is whole, and what to do where it is not: verify, repair, backup and restore."""
