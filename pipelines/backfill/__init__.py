"""The backfill: live generations get the codes that they lack."""
