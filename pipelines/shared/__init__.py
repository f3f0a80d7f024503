"""What pipelines share."""
