"""`taxohash store`: what people and scripts do with a code store."""
