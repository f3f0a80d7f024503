"""A generation: a hasher and the codes it made, as a folder. No torch."""

import os

# ONNX Runtime tells its maker of every process that loads it, unless this is set before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
