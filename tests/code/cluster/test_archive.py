"""Images that are made without Docker."""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.cluster.node import archive, stand_ins
from tests.cluster.node.debian import Packages
from tests.cluster.node.unavailable import Unavailable


def part(image: tarfile.TarFile, name: str) -> bytes:
    file = image.extractfile(name)
    assert file
    return file.read()


def test_an_archive_is_what_docker_save_writes(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/pause").write_bytes(b"program")
    (folder / "bin/pause").chmod(0o755)
    archive.write(tmp_path / "image.tar", "example.org/pause:1", folder, ["/bin/pause"], "/bin")
    with tarfile.open(tmp_path / "image.tar") as image:
        (told,) = json.loads(part(image, "manifest.json"))
        config, layer = part(image, told["Config"]), part(image, told["Layers"][0])
    assert archive.identity(tmp_path / "image.tar") == ("example.org/pause:1", told["Config"])
    assert told["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    made = json.loads(config)
    assert made["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert (made["config"]["Entrypoint"], made["config"]["WorkingDir"]) == (["/bin/pause"], "/bin")
    (tmp_path / "layer.tar").write_bytes(layer)
    with tarfile.open(tmp_path / "layer.tar") as files:
        assert [(one.name, one.uid, one.mode & 0o777) for one in files if one.isfile()] == [
            ("bin/pause", 0, 0o755)
        ]


def test_an_archive_of_no_image_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('[{"RepoTags": null, "Config": "a.json"}]')
    with tarfile.open(tmp_path / "image.tar", "w") as image:
        image.add(tmp_path / "manifest.json", "manifest.json")
    with pytest.raises(ValueError, match="0 names of images"):
        archive.identity(tmp_path / "image.tar")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Those of a node; Debian's packages are empty."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/pause").write_text("pause")
    monkeypatch.setattr(Packages, "__init__", lambda *_: None)
    monkeypatch.setattr(Packages, "fetch", lambda *_: [])
    return tmp_path


def version(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess([], 0, f"Valkey server v={found} sha=00000000:0", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)


def test_the_store_is_of_the_version_that_the_manifests_name(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version("0.0.1", monkeypatch)
    with pytest.raises(Unavailable, match=f"manifests name {stand_ins.store()}, and Debian sid has 0.0.1"):
        stand_ins.stand_ins(programs, print, programs / "images")
    version(stand_ins.store().rpartition(":")[2], monkeypatch)
    made = stand_ins.stand_ins(programs, print, programs / "images")
    assert sorted(entry.name for entry in (programs / "images").iterdir()) == sorted(
        file.name for file in made.values()
    )
    assert archive.identity(made[stand_ins.store()])[0] == stand_ins.store()
