"""The trigger: alerts, a timer, new data and people start runs of the pipelines, one at a time and each once."""
