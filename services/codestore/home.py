"""Where things lie that nobody named a place for: among the user's data."""

import os
from collections.abc import Mapping
from pathlib import Path

LONGEST_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux, 104 elsewhere


def users_data(environment: Mapping[str, str] = os.environ) -> Path:
    """`taxohash` in $XDG_DATA_HOME or ~/.local/share."""
    return Path(environment.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "taxohash"
