"""Steps that several pipelines have: from a data version to a folder, and from a hasher's draft to what is served.

Paths and parameters in, one call each, plain results out. Components call exactly one of these. Every step is a process of its own,
so what is slow to import is imported by those that need it. The address of the code store, which may hold a password, comes from the
environment (TAXOHASH_REDIS_URL), never from a parameter that a run would keep, and so do those of the picture store
(TAXOHASH_PICTURES) and of the generations that services load (TAXOHASH_GENERATIONS).
"""
