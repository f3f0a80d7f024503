"""The commands `taxohash pipeline ...`: a sub-command a file."""
