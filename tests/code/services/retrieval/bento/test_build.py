import re
import socket
from pathlib import Path

import pytest

from services.retrieval.bento.build import main
from taxohash.errors import TaxohashError


def test_what_is_no_generation_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "true")
    assert main([str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "generation.json" in printed.err


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve(["anything:latest", "--port", str(port)]) == 2
    assert re.fullmatch(rf"serve: port {port} cannot be used \(.*\): .*\n", capsys.readouterr().err)


def test_any_free_port_will_do() -> None:
    assert 1 <= free_port(0) <= 65535


@pytest.mark.parametrize("port", [-1, 65536])
def test_ports_that_do_not_exist_are_refused(port: int) -> None:
    with pytest.raises(TaxohashError, match=f"port {port}"):
        free_port(port)


def test_missing_settings_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAXOHASH_REDIS_URL", raising=False)
    assert serve(["anything:latest", "--port", "0", "--bento-home", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("serve: TAXOHASH_REDIS_URL is not set")
