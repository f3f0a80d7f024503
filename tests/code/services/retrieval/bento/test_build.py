import subprocess
import sys
from pathlib import Path

import pytest

from services.retrieval.bento.build import main
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
def test_a_signature_is_packed_and_another_is_another_bento(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", with_codes(tmp_path / "made")

    def build() -> str:
        command = [sys.executable, "-m", "services.retrieval.bento.build", str(folder), "--kernels", "none"]
        done = subprocess.run(
            [*command, "--bento-home", str(home)], stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    tags, texts = {build()}, set()
    for name in ("old.pem", "new.pem"):
        texts.add(signed(folder, make_key(tmp_path / name)[0]).joinpath(SIGNATURE).read_bytes())
        tags.add(build())
    assert len(tags) == 3
    assert {file.read_bytes() for file in home.rglob(SIGNATURE)} == texts
