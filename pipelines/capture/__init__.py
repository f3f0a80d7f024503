"""`taxohash data capture`: what was written and asked while serving becomes images of the next data version."""
