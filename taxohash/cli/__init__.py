"""The command `taxohash`."""
