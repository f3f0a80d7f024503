"""Addresses of pictures: only below named prefixes, however they are written, and never where they lead to."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codestore.connection import StoreUnavailableError
from services.codestore.pictures.uris import RefusedUriError, UriReader, parse, parse_prefixes, prefixes_from
from taxohash.errors import TaxohashError

LIMIT = 1000


def below(uri: str, prefixes: str) -> bool:
    parsed = parse(uri)
    return any(parsed.below(prefix) for prefix in parse_prefixes(prefixes))


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("s3://bucket/a.png", "s3://bucket"),
        ("s3://bucket/a/b c?d#e%20f.png", "s3://bucket/a/"),
        ("S3://bucket/a.png", "s3://bucket/"),
        ("https://host/pictures/ü.png?signature=x#y", "https://host/pictures"),
        ("HTTPS://HOST:443/pictures/a", "https://host/pictures/"),
        ("https://host/pictures/a", "https://host:443/pictures/"),
        ("http://host:8080/a", "http://host:8080"),
        ("http://[::1]/a", "http://[::1]"),
        ("/data/pictures/a b.png", "/data/pictures"),
        ("file:///data/pictures/a%20b.png", "/data/pictures"),
        ("file://localhost/data/pictures/a", "file:///data/pictures/"),
        ("/data/pictures//a", "/other /data/pictures"),
        ("https://host/pictures/a..b/...png", "https://host/pictures"),
    ],
)
def test_what_lies_below_a_prefix_may_be_read(uri: str, prefix: str) -> None:
    assert below(uri, prefix)


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("s3://bucket-evil/a", "s3://bucket"),
        ("s3://bucket/pictures-evil/a", "s3://bucket/pictures"),
        ("s3://bucket/pictures", "s3://bucket/pictures"),
        ("s3://bucket/pictures/", "s3://bucket/pictures"),
        ("s3://bucket/Pictures/a", "s3://bucket/pictures"),
        ("https://host.evil/a", "https://host"),
        ("https://evil/host/a", "https://host"),
        ("https://host:444/a", "https://host"),
        ("http://host/a", "https://host"),
        ("https://host/picturesque/a", "https://host/pictures"),
        ("https://host?/pictures/a", "https://host/pictures"),
        ("https://host#/pictures/a", "https://host/pictures"),
        ("/data/pictures-evil/a", "/data/pictures"),
        ("file:///etc/passwd", "/data/pictures"),
        ("http://127.1/a", "http://127.0.0.1"),
        ("http://host./a", "http://host"),
        ("s3://bucket/a", ""),
    ],
)
def test_what_only_looks_like_it_may_not(uri: str, prefix: str) -> None:
    assert not below(uri, prefix)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "a.png",
        "data:image/png;base64,AAAA",
        "ftp://host/a",
        "javascript:alert(1)",
        "//host/pictures/a",
        "file://host/pictures/a",
        "file:pictures/a",
        "s3:///pictures/a",
        "https:///pictures/a",
        "https://host:x/pictures/a",
        "https://host:99999/pictures/a",
        "https://host:/pictures/a",
        "https://[::1/pictures/a",
        "https://höst/pictures/a",
        "https://host\uff0fevil/pictures/a",
        "https://ho st/pictures/a",
        "https://host/pictures/../a",
        "https://host/pictures/./a",
        "https://host/pictures/%2e%2e/a",
        "https://host/pictures/%2E./a",
        "https://host/pictures/..%2fa",
        "https://host/pictures/%252e%252e/a",
        "https://host/pictures/..;x=1/a",
        "https://host/pictures/..%5ca",
        "https://host/pictures/..",
        "https://host\\@evil/pictures/a",
        "https://host/pictures\\..\\a",
        "https://host/pictures/a%00.png",
        "https://host/pic\ntures/a",
        "https://host/\tpictures/a",
        "https://host/pictures/\x7f",
        "s3://bucket/pictures/../a",
        "s3://bucket/pictures/%2e%2e/a",
        "/data/pictures/../../etc/passwd",
        "/data/pictures/\0",
        "file:///data/pictures/..%2f..%2fetc/passwd",
        "file:///data/pictures/a?x",
        "file:///data/pictures/\ud800",
        "s3://Bucket?x/pictures/a",
    ],
)
def test_what_is_no_plain_address_is_refused_in_one_line(uri: str) -> None:
    with pytest.raises(RefusedUriError) as caught:
        parse(uri)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    ["https://me:hush@host/a", "https://hush@host/a", "s3://key:hush@bucket/a", "https://me:h/hush@host/a",
     "https://host/a?signature=hush"],
)  # fmt: skip
def test_accounts_and_signatures_are_not_shown(uri: str) -> None:
    with pytest.raises(RefusedUriError) as caught:
        UriReader(parse_prefixes("https://other"), limit=LIMIT).read(uri)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "prefix",
    [
        "/",
        "file:///",
        "https://",
        "https://me:pw@host",
        "ftp://host",
        "pictures",
        "s3://b/../c",
        "https://h/?a=b",
    ],
)
def test_a_prefix_that_is_none_or_is_all_is_refused(prefix: str) -> None:
    with pytest.raises(TaxohashError, match="TAXOHASH_URI_PREFIXES") as caught:
        prefixes_from({"TAXOHASH_URI_PREFIXES": f"s3://good {prefix}"})
    assert "pw" not in str(caught.value)


def test_nothing_may_be_read_where_nothing_is_named() -> None:
    assert prefixes_from({}) == ()
    with pytest.raises(RefusedUriError, match=r"is below no prefix of TAXOHASH_URI_PREFIXES"):
        UriReader((), limit=LIMIT).read("/etc/passwd")


@given(
    st.lists(st.sampled_from([*"ab/.%;\\?#@: ", "..", "%2e", "%2f", "%252e", "é", "\n"]), max_size=12).map(
        "".join
    )
)
def test_a_file_that_is_read_lies_below_the_prefix_however_it_is_written(tail: str) -> None:
    for uri in (f"file:///data/in/{tail}", f"/data/in/{tail}", f"file:///data/{tail}"):
        try:
            path = parse(uri)
        except RefusedUriError:
            continue
        if path.below(parse("/data/in")):
            assert os.path.normpath(path.path).startswith("/data/in")
            assert ".." not in path.path.split("/")


# -- files -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a b.png").write_bytes(b"one")
    (folder / "sub" / "c.png").write_bytes(b"two")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


def test_files_below_the_prefix_are_read(folder: Path) -> None:
    reader = UriReader(parse_prefixes(str(folder)), limit=LIMIT)
    assert reader.read(f"{folder}/a b.png") == b"one"
    assert reader.read(f"file://{folder}/a%20b.png") == b"one"
    assert reader.read(f"{folder}//sub/c.png") == b"two"
    with pytest.raises(TaxohashError, match="holds nothing"):
        reader.read(f"{folder}/nothing")
    assert UriReader(parse_prefixes(str(folder)), limit=3).read(f"{folder}/a b.png") == b"one"
    with pytest.raises(TaxohashError, match="more than 2 bytes"):
        UriReader(parse_prefixes(str(folder)), limit=2).read(f"{folder}/a b.png")


def test_links_pipes_and_folders_are_not_read(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent / "secret")
    (folder / "inside").symlink_to(folder / "a b.png")
    (folder / "up").symlink_to("..")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    reader = UriReader(parse_prefixes(str(folder)), limit=LIMIT)
    for name in ("link", "inside", "up/secret", "loop", "pipe", "sub", "a b.png/x"):
        with pytest.raises(RefusedUriError):
            reader.read(f"{folder}/{name}")


def test_a_prefix_may_be_a_link_itself(folder: Path) -> None:
    named = folder.parent / "named"
    named.symlink_to(folder)
    assert UriReader(parse_prefixes(str(named)), limit=LIMIT).read(f"{named}/a b.png") == b"one"


# -- servers ---------------------------------------------------------------------------------------


@contextmanager
def answering(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    """A server that sends the same bytes to everybody, whatever is asked, and may pause between them."""
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                try:
                    client.recv(65536)
                    for part in parts:
                        client.sendall(part)
                        stopped.wait(pause)
                except OSError:
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


def fetched(address: str, limit: int = LIMIT, seconds: float = 20.0) -> bytes:
    reader = UriReader(parse_prefixes(address), limit=limit, seconds=seconds)
    try:
        return reader.read(f"{address}/a.png?signature=hush")
    finally:
        reader.close()


def test_a_picture_is_read_from_a_server() -> None:
    with answering(OK + b"Content-Length: 3\r\n\r\none") as address:
        assert fetched(address, limit=3) == b"one"
        with pytest.raises(TaxohashError, match="more than 2 bytes"):
            fetched(address, limit=2)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with answering(OK + b"\r\nsecret") as secret:
        redirect = (
            f"HTTP/1.1 {status} x\r\nConnection: close\r\nLocation: {secret}/\r\nContent-Length: 0\r\n\r\n"
        )
        with answering(redirect.encode()) as address, pytest.raises(RefusedUriError, match="leads elsewhere"):
            fetched(address)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 404 no\r\nContent-Length: 0\r\n\r\n", "answers 404"),
        (b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n", "answers 500"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\none", "answers compressed"),
        (OK + b"Content-Length: 0\r\n\r\n", "holds nothing"),
        (OK + b"Content-Length: 30\r\n\r\nhalf", "does not answer"),
        (b"no HTTP\r\n\r\n", "does not answer"),
        (b"", "does not answer"),
    ],
)
def test_other_answers_are_one_line_without_the_query(answer: bytes, message: str) -> None:
    with answering(answer) as address, pytest.raises(TaxohashError, match=message) as caught:
        fetched(address)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_never_ends_is_left_after_as_many_bytes_or_seconds() -> None:
    with (
        answering(OK + b"\r\n", *[bytes(500)] * 10) as address,
        pytest.raises(TaxohashError, match="more than"),
    ):
        fetched(address)
    for dripping in ([OK, b"\r\n", *[b"x"] * 1000], [b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 1000]):
        with (
            answering(*dripping, pause=0.05) as address,
            pytest.raises(StoreUnavailableError, match=r"takes over 0.3 s"),
        ):
            fetched(address, seconds=0.3)


def test_a_server_that_is_not_there_is_told() -> None:
    with answering() as address:
        pass
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        fetched(address)
