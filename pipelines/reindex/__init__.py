"""The reindexing pipeline: the codes of a new data version, by the hasher that is served."""
