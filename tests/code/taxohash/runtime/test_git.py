"""Git where nobody sits in front of it."""

from taxohash.runtime.git import unattended, without_password


def test_nobody_is_asked_but_by_what_the_user_set() -> None:
    silent = unattended({"HOME": "/home/me"})
    assert (silent["GIT_ASKPASS"], silent["GIT_TERMINAL_PROMPT"], silent["HOME"]) == ("true", "0", "/home/me")
    assert "BatchMode=yes" in silent["GIT_SSH_COMMAND"]
    own = {"GIT_ASKPASS": "/etc/token", "GIT_SSH_COMMAND": "ssh -i /etc/key"}
    assert unattended(own | {"GIT_TERMINAL_PROMPT": "1"}) == own | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def test_no_address_holds_a_password() -> None:
    text = "fatal: https://me:secret@host/x.git and //token@host:1, not a@b"
    assert without_password(text) == "fatal: https://***@host/x.git and //***@host:1, not a@b"
