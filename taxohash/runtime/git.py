"""How git is asked where nobody sits in front of it."""

import re
from collections.abc import Mapping


def unattended(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which git waits for nobody's password. What the user set for git or SSH to find one by stays."""
    silent = {"GIT_ASKPASS": "true", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}
    return {**silent, **environment, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def without_password(text: str) -> str:
    """A text with addresses in it, without what stands in them before the host: that may be a password."""
    return re.sub(r"//[^/@\s]*@", "//***@", text)
