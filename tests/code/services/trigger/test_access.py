"""Who may talk to the trigger."""

import base64
import os
from pathlib import Path

import pytest

from services.trigger.access import admit, refuse_open
from services.web.refused import RefusedError
from taxohash.errors import TaxohashError
from tests.support.asgi import LOOPBACK, OUTSIDE, scope_of

TOKEN = "a-token-of-32-characters-or-more"


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text(f"{TOKEN}\n\n  {'b' * 20}  \n")
    return file


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"alertmanager:{password}".encode()).decode()


@pytest.mark.parametrize("shown", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic(TOKEN), f"Bearer {'b' * 20}"])
def test_a_token_lets_in(shown: str, tokens: Path) -> None:
    admit(scope_of("POST", "/v1/alerts", {"authorization": shown}), tokens)


@pytest.mark.parametrize(
    "shown", [None, "", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN, basic(""), basic("x"), "Basic %", f"Digest {TOKEN}", "Bearer \xe9"]
)  # fmt: skip
@pytest.mark.parametrize("server", [OUTSIDE, LOOPBACK])
def test_nothing_else_does(shown: str | None, server: tuple[str, int], tokens: Path) -> None:
    headers = {} if shown is None else {"authorization": shown}
    with pytest.raises(RefusedError) as refused:
        admit(scope_of("POST", "/v1/alerts", headers, server), tokens)
    assert refused.value.status == 401


def test_two_headers_are_none(tokens: Path) -> None:
    header = (b"authorization", f"Bearer {TOKEN}".encode())
    with pytest.raises(RefusedError):
        admit(scope_of("POST", "/v1/alerts", [header, header]), tokens)


def test_tokens_are_read_again(tokens: Path) -> None:
    scope = scope_of("POST", "/v1/alerts", {"authorization": "Bearer " + "c" * 20})
    with pytest.raises(RefusedError):
        admit(scope, tokens)
    tokens.write_text("c" * 20)
    admit(scope, tokens)
    tokens.unlink()
    with pytest.raises(RefusedError) as refused:
        admit(scope, tokens)
    assert refused.value.status == 503


@pytest.mark.parametrize(
    ("headers", "server", "status"),
    [
        ({}, LOOPBACK, None),
        ({}, OUTSIDE, 401),
        ({"host": "evil.example"}, LOOPBACK, 401),
        ({"x-forwarded-for": "10.0.0.1"}, LOOPBACK, 401),
        ({"origin": "https://evil.example"}, LOOPBACK, 403),
        ({}, None, 401),
    ],
)
def test_without_tokens_this_machine_is_let_in(
    headers: dict[str, str], server: tuple[str, int] | None, status: int | None
) -> None:
    scope = scope_of("POST", "/v1/alerts", headers, server)
    if status is None:
        admit(scope, None)
        return
    with pytest.raises(RefusedError) as refused:
        admit(scope, None)
    assert refused.value.status == status


def test_it_listens_elsewhere_with_tokens_only(tokens: Path, tmp_path: Path) -> None:
    refuse_open("127.0.0.1", None)
    refuse_open("0.0.0.0", tokens)
    with pytest.raises(TaxohashError, match="TAXOHASH_TRIGGER_TOKEN_FILE"):
        refuse_open("0.0.0.0", None)
    for text in ("", "short\n", f"{TOKEN}\nshort\n"):
        tokens.write_text(text)
        with pytest.raises(TaxohashError, match="has no token"):
            refuse_open("127.0.0.1", tokens)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "absent", tmp_path, tmp_path / "pipe"):
        with pytest.raises(TaxohashError, match="cannot be read"):
            refuse_open("127.0.0.1", path)
