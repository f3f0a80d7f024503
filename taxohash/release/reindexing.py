from typing import Literal

from taxohash.runtime.configuration import configuration


@configuration
class Policy:
    """p"""

    share: float = 0.5
    approve: Literal["never", "always"] = "never"
