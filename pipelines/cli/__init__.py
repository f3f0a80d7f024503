"""`taxohash pipeline`: a file a sub-command."""
