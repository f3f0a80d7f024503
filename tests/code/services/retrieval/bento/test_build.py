from pathlib import Path

import pytest

from services.retrieval.bento.build import build, main
from taxohash.generation.signature import SIGNATURE
from tests.support.own_generation import with_codes
from tests.support.signing import make_key, signed


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


@pytest.mark.slow
def test_a_signature_is_packed_and_another_is_another_bento(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, folder = tmp_path / "home", with_codes(tmp_path / "made")
    monkeypatch.setenv("BENTOML_HOME", str(home))
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "true")
    tags, texts = [build(folder, [])], set()
    for name in ("old.pem", "new.pem"):
        texts.add(signed(folder, make_key(tmp_path / name)[0]).joinpath(SIGNATURE).read_bytes())
        tags.append(build(folder, []))
        assert build(folder, []) == tags[-1]
    assert len(set(tags)) == 3
    assert {file.read_bytes() for file in home.rglob(SIGNATURE)} == texts
