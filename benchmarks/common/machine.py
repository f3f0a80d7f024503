"""The machine that a benchmark runs on."""

import platform
from pathlib import Path


def cpu_model() -> str:
    """What the CPU calls itself."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor()
