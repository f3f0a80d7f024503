"""Who is let in to what: every route and role, with no key, a wrong one, an expired one, too small a one, the right one."""

import asyncio
import itertools
import logging
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from services.retrieval.access import Gate
from services.retrieval.app import application
from services.retrieval.routes import ENDPOINTS, TABLE
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.service import Service
from services.retrieval.settings import Settings
from taxohash.errors import TaxohashError
from tests.support.asgi import LOOPBACK, OUTSIDE, REACHED, Answer, ask, asked, scope_of
from tests.support.keyring import Keyring, key_of

OPEN = {
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("GET", "/"),
    ("GET", "/status"),
    ("GET", "/page/{name}"),
    ("GET", "/v1/openapi.json"),
}
ROLES = {"public": -1, "search": 0, "write": 1, "admin": 2}
KEYS = [None, "wrong", "expired", "search", "write", "admin"]


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keys") / "keys.json")


def app_of(**settings: object) -> ASGIApp:
    made = Settings(redis_url="memory://", **settings)  # type: ignore[arg-type]  # of any field
    return application(Service(made), REACHED)


@pytest.fixture(scope="module")
def guarded(keyring: Keyring) -> ASGIApp:
    return app_of(api_keys_file=str(keyring.path))


def path_of(endpoint: Endpoint) -> str:
    return re.sub(r"\{[^}]*\}", "x", endpoint.path)


def reached(answer: Answer) -> bool:
    return answer.status == 200 and b"let in" in answer.body


def test_the_open_routes_are_these() -> None:
    """Whoever adds one has to add it here too, and to think."""
    assert {(route.method, route.path) for route in ENDPOINTS if route.access == "public"} == OPEN


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("endpoint", REACHED.endpoints, ids=lambda endpoint: endpoint.path)
def test_the_matrix(guarded: ASGIApp, keyring: Keyring, endpoint: Endpoint, key: str | None) -> None:
    for server in (OUTSIDE, LOOPBACK):  # with keys, loopback is no exception
        answer = ask(guarded, endpoint.method, path_of(endpoint), keyring.headers(key), server, body=b"x")
        if endpoint.access == "public" or (key in ROLES and ROLES[key] >= ROLES[endpoint.access]):
            assert reached(answer), answer
            continue
        assert answer.status == (403 if key in ROLES else 401)
        assert answer.reason() == ("role" if key in ROLES else "key")
        assert answer.reads == 0
        assert answer.headers.get("www-authenticate") == (None if key in ROLES else "Bearer")
        assert answer.headers["cache-control"] == "no-store"


def test_wrong_and_expired_keys_are_answered_alike(guarded: ASGIApp, keyring: Keyring) -> None:
    told = {
        ask(guarded, "POST", "/v1/search", {**keyring.headers(key), "X-Request-ID": "same"}).body
        for key in ("wrong", "expired")
    }
    nonsense = ask(guarded, "POST", "/v1/search", {"Authorization": "Bearer x", "X-Request-ID": "same"})
    assert told == {nonsense.body}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "NONSENSE", "get"])
@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/search", "/livez", "*", ""])
def test_what_is_not_listed_is_told_only_to_who_has_a_key(
    guarded: ASGIApp, keyring: Keyring, method: str, path: str
) -> None:
    found = TABLE.find(scope_of(method, path))
    if found.endpoint is not None:
        return
    for key in (None, "wrong", "expired"):
        answer = ask(guarded, method, path, keyring.headers(key))
        assert (answer.status, answer.reason()) == (401, "key")
    answer = ask(guarded, method, path, keyring.headers("search"))
    assert (answer.status, answer.reason()) == ((405, "method") if found.allowed else (404, "path"))
    assert answer.headers.get("allow") == (", ".join(found.allowed) or None)


SLASHES = st.sampled_from(
    ["/", "//", "/./", "/../", "/%2e%2e/", "/%2f", "\\", "/;/", "/\n", "/\x00", "", "/ "]
)
WORDS = st.sampled_from(
    [
        "livez", "readyz", "page", "page.js", "v1", "V1", "search", "Search", "items", "x", "thumbnail", "metrics",
        "taxonomy", "generation", "examples", "http:", "localhost", "%73earch", "made-up", "made-up-admin", "ſearch",
    ]
)  # fmt: skip
PATHS = st.lists(st.tuples(SLASHES, WORDS), max_size=6).map(lambda parts: "".join(map("".join, parts)))


@hypothesis_settings(max_examples=400, deadline=None)
@given(path=PATHS | st.text(max_size=30), method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]))
def test_no_path_leads_around_the_gate(guarded: ASGIApp, path: str, method: str) -> None:
    answer = ask(guarded, method, path)
    if not reached(answer):
        assert (answer.status, answer.reads) == (401, 0)
        return
    reads = {"GET", "HEAD"}
    assert method in reads
    assert path in {"/livez", "/readyz", "/healthz", "/metrics", "/"} or re.fullmatch(r"/page/[^/]+", path)


HEADERS = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([b"", b"Bearer", b"Bearer ", b"Basic eDp5", b"bearer\t", b"Bearer a b", b"B\xe9arer x"]),
    st.binary(min_size=43, max_size=43).map(lambda tail: b"Bearer txh_" + tail),
    st.text("abcXYZ019_-", min_size=43, max_size=43).map(lambda tail: b"Bearer txh_" + tail.encode()),
    st.just(b"Bearer " + b"txh_" * 100_000),
)


@hypothesis_settings(max_examples=300, deadline=None)
@given(st.lists(HEADERS, max_size=3))
def test_no_header_but_a_key_in_force_lets_in(guarded: ASGIApp, given_: list[bytes]) -> None:
    headers = [(b"authorization", value) for value in given_]
    answer = ask(guarded, "POST", "/v1/search", headers)
    assert (answer.status, answer.reason(), answer.reads) == (401, "key", 0)


@pytest.mark.parametrize("form", ["bearer {}", "BEARER {}", "Bearer   {}", " Bearer {} "])
def test_the_scheme_is_read_as_http_says(guarded: ASGIApp, keyring: Keyring, form: str) -> None:
    headers = {"Authorization": form.format(keyring.secrets["search"])}
    assert reached(ask(guarded, "POST", "/v1/search", headers))


def test_two_keys_are_none(guarded: ASGIApp, keyring: Keyring) -> None:
    right = f"Bearer {keyring.secrets['search']}".encode()
    for other in (right, b"Bearer x"):
        for pair in itertools.permutations([right, other]):
            headers = [(b"authorization", value) for value in pair]
            assert ask(guarded, "POST", "/v1/search", headers).status == 401


def test_a_secret_is_compared_whole(guarded: ASGIApp, keyring: Keyring) -> None:
    secret = keyring.secrets["search"]
    for at in range(len(secret)):
        other = secret[:at] + ("A" if secret[at] != "A" else "B") + secret[at + 1 :]
        assert ask(guarded, "POST", "/v1/search", {"Authorization": f"Bearer {other}"}).status == 401
    for other in (secret[:-1], secret + "A", secret.upper(), secret.lower(), secret + "\x00"):
        assert ask(guarded, "POST", "/v1/search", {"Authorization": f"Bearer {other}"}).status == 401


def test_a_key_expires_while_the_service_runs(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys.json")
    now = [0.0]
    gate = Gate(Settings(api_keys_file=str(keyring.path)), lambda: now[0])
    scope = scope_of("POST", "/v1/search", keyring.headers("search"))
    assert gate.admit(scope, "search").name == "search"
    now[0] = 1e11
    with pytest.raises(TaxohashError, match="expired"):
        gate.admit(scope, "search")


def test_a_key_may_ask_as_often_as_its_rate(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys.json")
    keyring.keys["search"] = key_of(keyring.secrets["search"], "search", rate=0.01, burst=3)
    keyring.write()
    app = app_of(api_keys_file=str(keyring.path))
    answers = [ask(app, "POST", "/v1/search", keyring.headers("search")) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].reason() == "rate"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 100
    assert ask(app, "POST", "/v1/search", keyring.headers("write")).status == 200
    assert ask(app, "GET", "/livez", keyring.headers("search")).status == 200


def admitted(
    app: ASGIApp, headers: Mapping[str, str] | None = None, server: tuple[str, int | None] | None = LOOPBACK
) -> list[str]:
    """The roles that somebody without a key has, as the routes show."""
    asked_for = [
        ("search", "POST", "/v1/search"),
        ("write", "PUT", "/v1/made-up/x"),
        ("admin", "POST", "/v1/made-up-admin"),
    ]
    return [
        role for role, method, path in asked_for if reached(ask(app, method, path, headers or {}, server))
    ]


def test_without_keys_this_machine_may_search_and_write() -> None:
    app = app_of()
    assert admitted(app) == ["search", "write"]
    assert admitted(app, {"Host": "[::1]:3000"}, ("::1", 3000)) == ["search", "write"]
    assert admitted(app, server=OUTSIDE) == []
    assert admitted(app, {"Host": "localhost"}, OUTSIDE) == []
    assert admitted(app, {"Host": "localhost"}, ("/run/service.sock", None)) == []
    assert admitted(app, server=None) == []
    # There are no keys, so that none is looked at.
    assert admitted(app, {"Authorization": "Bearer x"}) == ["search", "write"]


def test_what_is_said_to_be_open_is_open_everywhere_and_nothing_else() -> None:
    shop = {"Host": "shop.example"}
    for server in (OUTSIDE, LOOPBACK, ("/run/service.sock", None), None):
        assert admitted(app_of(allow_anonymous="search"), shop, server) == ["search"]
        assert admitted(app_of(allow_anonymous="write"), shop, server) == ["search", "write"]


def test_beside_keys_something_may_be_open(keyring: Keyring) -> None:
    app = app_of(api_keys_file=str(keyring.path), allow_anonymous="search")
    assert admitted(app, server=OUTSIDE) == ["search"]
    assert admitted(app, keyring.headers("admin"), OUTSIDE) == ["search", "write", "admin"]
    # Who means to show a key learns that it is none.
    assert admitted(app, keyring.headers("wrong"), OUTSIDE) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:3000"},
        {"host": "localhost.evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost@evil.example"},
        {"host": "10.0.0.1"},
        {"host": ""},
        {"x-forwarded-for": "192.0.2.1"},
        {"forwarded": "for=192.0.2.1"},
        {"via": "1.1 proxy"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:3000"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8000"},
    ],
)
def test_other_sites_and_proxies_are_not_this_machine(headers: dict[str, str]) -> None:
    app = app_of()
    assert admitted(app, headers) == []
    assert reached(ask(app, "GET", "/livez", headers, LOOPBACK))


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost"},
        {"host": "LOCALHOST:3000"},
        {"host": "127.8.9.10"},
        {"host": "[::1]:3000"},
        {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:3000"},
        {"sec-fetch-site": "none"},
        {"origin": "http://127.0.0.1:3000"},
    ],
)
def test_the_page_and_commands_on_this_machine_are(headers: dict[str, str]) -> None:
    assert admitted(app_of(), headers) == ["search", "write"]


def test_a_page_of_another_site_is_refused_with_a_key_too(guarded: ASGIApp, keyring: Keyring) -> None:
    headers = {**keyring.headers("search"), "Sec-Fetch-Site": "cross-site"}
    answer = ask(guarded, "POST", "/v1/search", headers)
    assert (answer.status, answer.reason()) == (403, "origin")
    listed = app_of(api_keys_file=str(keyring.path), cors_origins=("https://shop.example",))
    assert not reached(ask(listed, "POST", "/v1/search", headers))
    assert reached(ask(listed, "POST", "/v1/search", headers | {"Origin": "https://shop.example"}))


def test_what_is_open_is_said_at_start(caplog: pytest.LogCaptureFixture, keyring: Keyring) -> None:
    Gate(Settings()).start()
    assert "no API keys" in caplog.text
    Gate(Settings(allow_anonymous="write")).start()
    assert "TAXOHASH_ALLOW_ANONYMOUS is write" in caplog.text
    caplog.clear()
    gate = Gate(Settings(api_keys_file=str(keyring.path)))
    gate.start()
    gate.stop()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "origin", ["*", "shop.example", "https://shop.example/", "https://Shop.example", "null"]
)
def test_origins_that_are_none_are_refused_at_start(origin: str) -> None:
    with pytest.raises(TaxohashError, match="TAXOHASH_CORS_ORIGINS"):
        Gate(Settings(cors_origins=(origin,)))


def test_a_rotation_loses_no_request(tmp_path: Path) -> None:
    """Two keys in force, then one of them: requests with the other never fail, those with the removed one do from then on."""
    keyring = Keyring(tmp_path / "keys.json")
    service = Service(Settings(redis_url="memory://", api_keys_file=str(keyring.path)))
    app = application(service, REACHED)

    async def rotate() -> None:
        service.gate.start()

        async def status(name: str) -> int:
            return (await asked(app, scope_of("POST", "/v1/search", keyring.headers(name)))).status

        try:
            assert await status("write") == await status("search") == 200
            for writing in range(30):
                if writing == 10:
                    del keyring.keys["search"]
                # As Kubernetes does it: a link is moved.
                folder = tmp_path / f"version {writing}"
                folder.mkdir()
                keyring.path = folder / "keys.json"
                keyring.write()
                link = tmp_path / "next"
                link.symlink_to(keyring.path)
                link.replace(tmp_path / "keys.json")
                for _ in range(20):
                    assert await status("write") == 200
            async with asyncio.timeout(30):
                while await status("search") != 401:
                    assert await status("write") == 200
                    await asyncio.sleep(0.01)
        finally:
            service.gate.stop()

    asyncio.run(rotate())
