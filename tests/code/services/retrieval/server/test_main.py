"""The command, as far as it starts nothing; and the socket that it listens at."""

import re
import socket
from contextlib import nullcontext
from pathlib import Path

import pytest

from services.retrieval.server import main as server
from services.retrieval.server.companion import Companion
from services.retrieval.server.main import main
from services.web.listening import listen, url_of


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of those of who runs the tests, and no store that could be started."""
    for name in ("TAXOHASH_API_KEYS_FILE", "TAXOHASH_ALLOW_ANONYMOUS", "BENTO_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAXOHASH_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is wrong with a command, in one line."""
    assert main([*arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"serve: .*\n", printed.err)
    return printed.err


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1 cannot be used (Address already in use)" in told(
            capsys, "--port", str(port)
        )


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_ports_that_do_not_exist_are_refused(capsys: pytest.CaptureFixture[str], port: str) -> None:
    assert f"port {port} does not exist" in told(capsys, "--port", port)


@pytest.mark.parametrize("host", ["999.1.1.1", "nobody.invalid", "203.0.113.1", "x" * 300, "a\x00b"])
def test_hosts_that_are_not_here_are_refused(capsys: pytest.CaptureFixture[str], host: str) -> None:
    assert "choose" in told(capsys, "--host", host, "--port", "0")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_others_reach_is_not_opened_by_oversight(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    if host == "::" and not socket.has_ipv6:
        pytest.skip("there is no IPv6")
    assert "TAXOHASH_ALLOW_ANONYMOUS" in told(capsys, "--host", host, "--port", "0")


def test_bad_settings_and_targets_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Bento 'shop:1' is not in" in told(capsys, "shop:1")
    assert "give the folder" in told(capsys, "no/where\nelse")
    monkeypatch.setenv("TAXOHASH_DRAIN_SECONDS", "soon")
    assert "TAXOHASH_DRAIN_SECONDS is 'soon'" in told(capsys, "--port", "0")
    monkeypatch.delenv("TAXOHASH_DRAIN_SECONDS")
    monkeypatch.setenv("TAXOHASH_API_TOKEN", "secret")
    assert "secret" not in told(capsys, "--port", "0")


def test_an_address_is_a_url() -> None:
    for host, url in [("127.0.0.1", "http://127.0.0.1:"), ("localhost", "http://"), ("::1", "http://[::1]:")]:
        if host == "::1" and not socket.has_ipv6:
            continue
        with listen(host, 0) as listener:
            assert url_of(listener).startswith(url)
            assert listener.getsockname()[1] > 0


@pytest.mark.parametrize(
    ("own", "options", "beside"),
    [(True, (), True), (False, (), False), (True, ("--no-backfill",), False), (False, ("--backfill",), True)],
)
def test_the_backfill_is_beside_the_users_own_store_or_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, own: bool, options: tuple[str, ...], beside: bool
) -> None:
    given: list[Companion | None] = []

    def supervised(_serving: object, _listener: object, _ready: object, companion: Companion | None) -> int:
        given.append(companion)
        return 0

    variables = {"TAXOHASH_REDIS_URL": "unix:///own"} if own else {}
    monkeypatch.setattr(server, "stores", lambda _environment: nullcontext(variables))
    monkeypatch.setattr(server, "supervise", supervised)
    assert server.main(["products", "--port", "0", *options]) == 0
    (companion,) = given
    assert (companion is not None) == beside
    if companion is not None and own:
        assert companion._environment["TAXOHASH_REDIS_URL"] == "unix:///own"
        assert companion._environment["TAXOHASH_COLLECTION"] == "products"
