"""The client's errors; a real service answers it in tests/system."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from taxohash.client import search
from taxohash.errors import TaxohashError


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "picture.png"
    file.write_bytes(b"bytes")
    return file


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """Address of a server that is no taxohash service."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "nonsense", "ftp://x", "http://", "http://[", "http://a b/", "http://x:99999"],
)
def test_addresses_without_a_service_are_one_line(picture: Path, url: str) -> None:
    with pytest.raises(TaxohashError) as refused:
        search(url, picture)
    assert "\n" not in str(refused.value)


def test_another_server_is_told_apart(picture: Path, elsewhere: str) -> None:
    with pytest.raises(TaxohashError, match="not as a taxohash service does"):
        search(elsewhere, picture)


@pytest.mark.parametrize("key", ["\N{SNOWMAN}", "s3cret\r\nX-More: 1", "s3 cret", "s3cret\x7f"])
def test_a_key_that_cannot_be_sent_is_one_line_that_does_not_show_it(
    picture: Path, elsewhere: str, key: str
) -> None:
    with pytest.raises(TaxohashError, match="key") as refused:
        search(elsewhere, picture, key=key)
    assert key not in str(refused.value)
    assert "s3" not in str(refused.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for file in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(TaxohashError, match=str(file)):
            search("http://127.0.0.1:1", file)
