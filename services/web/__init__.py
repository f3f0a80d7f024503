"""What every service that answers HTTP has in common: where it listens, who may ask from where, and how it refuses."""
