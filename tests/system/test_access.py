"""Who may ask, of real servers: our own start, and `bentoml serve`."""

import http.client
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from services.codestore import EmbeddedServer
from services.processes import stop
from services.retrieval.access.cli import main as keys_command
from services.retrieval.access.roles import ROLES, allows
from services.retrieval.routes import ENDPOINTS
from tests.support.keyring import Keyring
from tests.support.ports import free_port
from tests.support.serving import PICTURES, ROOT, START_SECONDS, Service, environment, serving
from tests.support.waiting import until

pytestmark = pytest.mark.system
CANARY = "c4n4ry"


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def service(
    published_store: EmbeddedServer,
    generation: Path,
    keyring: Keyring,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    variables = environment(published_store.url, folder / "home", TAXOHASH_API_KEYS_FILE=str(keyring.path))
    with serving(str(generation), variables, folder) as started:
        yield started
    last = [json.loads(line) for line in started.log.read_text().splitlines() if line.startswith("{")][-1]
    assert "drained" in last["message"]  # what is logged at the very end is not lost


def asked(service: Service, method: str, target: str, headers: dict[str, str]) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection(*service.address, timeout=30)) as connection:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize("key", [None, "wrong", "expired", "search", "admin"])
def test_the_matrix(service: Service, keyring: Keyring, key: str | None) -> None:
    for endpoint in ENDPOINTS:
        path = re.sub(r"\{[^}]*\}", "icon.svg", endpoint.path)
        status, _ = asked(service, endpoint.method, path, dict(keyring.headers(key)))
        let_in = endpoint.access == "public" or (
            key in ROLES and allows(ROLES[ROLES.index(key)], endpoint.access)
        )
        assert (status not in (401, 403)) is let_in, (endpoint, status)


@pytest.mark.parametrize(
    "target",
    [
        "//v1/generation",
        "/v1/generation/",
        "/V1/GENERATION",
        "/v1//generation",
        "/v1/./generation",
        "/livez/../v1/generation",
        "/livez/%2e%2e/v1/generation",
        "/livez/..%2fv1/generation",
        "/%76%31/generation",
        "/v1%2fgeneration",
        "/v1/generation%00",
        "/v1/generation?x=/livez",
        "/v1/generation#/livez",
        "/v1/generation;/livez",
        "/page/../v1/generation",
        "/page/%2e%2e%2fv1%2fgeneration",
        "http://localhost/v1/generation",
        "http://localhost//v1/generation",
        "http://evil.example/livez/../v1/generation",
        "\\v1\\generation",
        "/v2/items",
        "/admin",
        "*",
    ],
)
def test_no_target_leads_around_the_gate(service: Service, target: str) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        status, body = asked(service, method, target, {})
        assert status in (400, 401), method
        assert b"codes" not in body


def test_a_search_needs_and_takes_a_key(service: Service, keyring: Keyring) -> None:
    files = {"image": ("p.png", PICTURES[3])}
    assert httpx.post(f"{service.url}/v1/search", files=files).status_code == 401
    answer = httpx.post(f"{service.url}/v1/search", files=files, headers=keyring.headers("search"))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


def test_a_removed_key_is_worth_nothing_while_requests_run(service: Service, keyring: Keyring) -> None:
    address = f"{service.url}/v1/generation"

    def status(key: str) -> int:
        return httpx.get(address, headers=keyring.headers(key)).status_code

    def gone() -> bool:
        assert status("admin") == 200
        return status("write") == 401

    assert status("write") == 200
    assert keys_command(["remove", "write", "--file", str(keyring.path)]) == 0
    until(gone)
    keyring.write()
    until(lambda: status("write") == 200)


def test_its_log_is_lines_of_json_without_anything_of_a_client(service: Service, keyring: Keyring) -> None:
    for key in (None, "wrong", "expired", "search"):
        headers = {
            **keyring.headers(key),
            "X-Canary": CANARY,
            "User-Agent": CANARY,
            "X-Request-ID": "from-test",
        }
        for target in (
            f"/{CANARY}",
            f"/v1/items/{CANARY}%0a{CANARY}/thumbnail?q={CANARY}",
            f"/page/{CANARY}",
        ):
            asked(service, "GET", target, headers)
        broken: dict[str, Any] = {"image": (CANARY, CANARY.encode()), CANARY: CANARY.encode()}
        httpx.post(f"{service.url}/v1/search", files=broken, headers=headers)
    asked(service, CANARY.upper(), "/livez", {})
    text = service.log.read_text()
    until(lambda: "from-test" in service.log.read_text())
    assert CANARY not in text.lower()
    assert not any(secret[4:] in text for secret in keyring.secrets.values())
    assert all(json.loads(line)["level"] for line in text.splitlines())


def outcome(command: list[str], variables: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT, env=variables, capture_output=True, text=True, timeout=START_SECONDS, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_keys_it_starts_on_loopback_only(
    published_store: EmbeddedServer, generation: Path, tmp_path: Path, host: str
) -> None:
    command = ["services.retrieval.server.main", str(generation), "--port", "0", "--host", host]
    code, said = outcome(command, environment(published_store.url, tmp_path))
    assert (code, said.count("\n")) == (2, 1)
    assert "TAXOHASH_ALLOW_ANONYMOUS" in said


@pytest.mark.parametrize("content", [None, "", '{"keys": [{}]}'])
def test_with_keys_that_cannot_be_read_it_does_not_start(
    published_store: EmbeddedServer, generation: Path, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "keys.json"
    if content is not None:
        file.write_text(content)
    variables = environment(published_store.url, tmp_path, TAXOHASH_API_KEYS_FILE=str(file))
    code, said = outcome(["services.retrieval.server.main", str(generation), "--port", "0"], variables)
    assert code == 2
    assert "Traceback" not in said
    assert "keys.json" in said


def test_the_token_of_before_is_refused(
    published_store: EmbeddedServer, generation: Path, tmp_path: Path
) -> None:
    variables = environment(published_store.url, tmp_path, TAXOHASH_API_TOKEN="s3cret")
    code, said = outcome(["services.retrieval.server.main", str(generation), "--port", "0"], variables)
    assert (code, said.count("\n")) == (2, 1)
    assert "taxohash keys add" in said
    assert "s3cret" not in said


def other_address() -> str | None:
    """An address of this machine that is not loopback."""
    found = [address for all_ in psutil.net_if_addrs().values() for address in all_]
    others = (a.address for a in found if a.family == socket.AF_INET and not a.address.startswith("127."))
    return next(others, None)


@contextmanager
def bentoml_serving(variables: dict[str, str], log: Path) -> Iterator[int]:
    """`bentoml serve` of the sources, at all addresses; its port."""
    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", "services.retrieval.bento.service:Retrieval"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--host", "0.0.0.0", "--port", str(port)],
            cwd=ROOT, env=variables | {"BENTOML_DO_NOT_TRACK": "true"}, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    family = [psutil.Process(process.pid)]

    def alive() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        until(alive, START_SECONDS)
        family += psutil.Process(process.pid).children(recursive=True)
        yield port
    finally:
        stop(process, 15)
        for member in psutil.wait_procs(family, timeout=5)[1]:
            member.kill()


@pytest.mark.skipif(other_address() is None, reason="this machine has no other address")
def test_bentoml_at_all_addresses_is_open_on_loopback_only(
    published_store: EmbeddedServer, generation: Path, tmp_path: Path
) -> None:
    variables = environment(published_store.url, tmp_path / "home", TAXOHASH_GENERATION=str(generation))
    with bentoml_serving(variables, tmp_path / "log") as port:
        for address, open_ in (("127.0.0.1", True), (str(other_address()), False)):
            url = f"http://{address}:{port}"
            assert httpx.get(f"{url}/livez").status_code == 200
            for headers in ({}, {"Host": "localhost"}):
                answer = httpx.get(f"{url}/v1/generation", headers=headers)
                assert (answer.status_code != 401) is open_
        rebound = httpx.get(f"http://127.0.0.1:{port}/v1/generation", headers={"Host": "evil.example"})
        assert rebound.status_code == 401
        assert rebound.headers["content-type"] == "application/problem+json"
        socket_answer = httpx.get(
            f"http://127.0.0.1:{port}/v1/search",
            headers={
                "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            },
        )  # fmt: skip
        assert socket_answer.status_code in (404, 405)
        assert socket_answer.headers["content-type"] == "application/problem+json"
    told = (tmp_path / "log").read_text()
    assert '"there are no API keys' in told
    assert "evil.example" not in told
