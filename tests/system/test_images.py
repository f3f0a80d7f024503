"""Images built as on Debian without Docker, and run: namespaces, a read-only root, the user of the pods.

Each build takes some minutes, the first one some more (tools and a base of Debian's packages, kept in .cache/images).
"""

import json
import os
import re
import select
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from packaging.utils import canonicalize_name
from referencing import Registry, Resource

from services.codestore import EmbeddedServer
from tests.support.containers import Image, unpacked
from tests.support.ports import free_port
from tests.support.serving import COLLECTION, IDS, PICTURES, ROOT, publish
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
PLACE = ROOT / ".cache" / "images"
SITE = "app/.venv/lib/python3.11/site-packages"
LISTED = "usr/share/taxohash/sbom.cdx.json"
ROOM = 700_000_000  # bytes that the image of the service may take unpacked


def built(image: str, home: Path | None = None) -> Path:
    """The archive of an image; skips where none can be made."""
    done = subprocess.run(
        ["sh", "scripts/images", image],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **({"BENTOML_HOME": str(home)} if home else {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    (archive,) = [line.strip() for line in done.stdout.splitlines() if line.endswith(".tar")]
    return Path(archive)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, generation: Path) -> Image:
    """The service's, with a generation, unpacked."""
    home = tmp_path_factory.mktemp("bento-home")
    build = [
        sys.executable,
        "-m",
        "services.retrieval.bento.build",
        str(generation),
        "--bento-home",
        str(home),
    ]
    subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return unpacked(built("serving", home), tmp_path_factory.mktemp("image") / "root")


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return unpacked(built("pipelines"), tmp_path_factory.mktemp("image") / "root")


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Draft7Validator:
    """CycloneDX 1.6 as its own library brings it."""
    folder = tmp_path_factory.mktemp("schema")
    (pin,) = re.findall(
        r"^cyclonedx-python-lib==.*", (ROOT / "manifests/images/sbom.txt").read_text(), re.MULTILINE
    )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), pin]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        read = {
            name: json.loads(packed.read(f"cyclonedx/schema/_res/{name}.SNAPSHOT.schema.json"))
            for name in ("bom-1.6", "spdx", "jsf-0.82")
        }
    registry: Registry[Any] = Registry().with_resources(
        # as they name each other, which is not as they name themselves
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", Resource.from_contents(text))
        for name, text in read.items()
    )
    return Draft7Validator(read["bom-1.6"], registry=registry)


def metadata(image: Image) -> list[Message]:
    """What each distribution in an image says of itself."""
    files = (image.root / SITE).glob("*.dist-info/METADATA")
    return [HeaderParser().parsestr(file.read_text()) for file in files]


def distributions(image: Image) -> dict[str, str]:
    """Versions of what is installed in an image, by name."""
    return {canonicalize_name(one["Name"]): one["Version"] for one in metadata(image)}


def unlicensed(image: Image) -> set[str]:
    """Distributions that name no licence in any way."""
    return {
        canonicalize_name(one["Name"])
        for one in metadata(image)
        if not (one["License"] or one["License-Expression"])
        and not any(own.startswith("License ::") for own in one.get_all("Classifier", []))
    }


def constraints() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def listed(image: Image) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((image.root / LISTED).read_text())
    return told


def check_list(image: Image, schema: Draft7Validator, beside: Path) -> None:
    """Its list of contents is valid, lies beside the archive, and has all that is installed, with the licences that it names."""
    told = listed(image)
    schema.validate(told)
    assert beside.read_bytes() == (image.root / LISTED).read_bytes()
    components = {
        # ours come from wheels made in the build, which no index has
        one.get("purl", "pkg:pypi/").partition(":")[2].split("/")[0] + "/" + one["name"]: one
        for one in told["components"]
    }
    here = {
        canonicalize_name(key.partition("/")[2]): one
        for key, one in components.items()
        if key.startswith("pypi/")
    }
    assert {name: one["version"] for name, one in here.items()} == distributions(image)
    assert {name for name, one in here.items() if not one.get("licenses")} <= unlicensed(image)
    debian = (image.root / "var/lib/dpkg/status").read_text()
    packages = set(re.findall(r"^Package: (.*)", debian, re.MULTILINE))
    assert {key.partition("/")[2] for key in components if key.startswith("deb/")} == packages
    assert all(
        (image.root / "usr/share/doc" / name / "copyright").exists() for name in ("libc6", "python3.11")
    )


def check_versions(image: Image, *ours: str) -> None:
    pinned = constraints()
    for name, version in distributions(image).items():
        assert name in ours or version.removesuffix("+cpu") == pinned[name], name


def check_left(image: Image) -> None:
    """Nothing of what built it is left."""
    for name in (
        "pip",
        "sbom",
        "build",
        "wheels",
        "root/.cache",
        "usr/bin/gcc",
        "usr/bin/cc",
        "etc/pip.conf",
        "run/secrets",
    ):
        assert not (image.root / name).exists(), name
    assert not (image.root / SITE / "pip").exists()
    assert not list(image.root.glob("tmp/*"))


def test_the_image_of_the_service_is_small_and_has_what_it_needs(serving: Image) -> None:
    assert serving.size <= ROOM
    assert not {"torch", "kfp", "dvc", "pip", "pyarrow"} & distributions(serving).keys()
    check_versions(serving)
    check_left(serving)
    assert not (serving.root / "usr/bin/git").exists()
    assert (serving.settings["User"], serving.settings["WorkingDir"]) == (
        "1034:1034",
        "/home/bentoml/bento/src",
    )
    writable = [
        path
        for path in (serving.root / "home").rglob("*")
        if not path.is_symlink() and (path.stat().st_uid == 1034 or path.stat().st_mode & 0o022)
    ]
    assert not writable


def test_the_list_of_the_service_is_whole(serving: Image, schema: Draft7Validator) -> None:
    check_list(serving, schema, PLACE / "taxohash-retrieval.cdx.json")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, generation: Path) -> Iterator[str]:
    """The address of a store with the generation's items, at a port: its socket is no file of the image."""
    port = free_port()
    with EmbeddedServer(tmp_path_factory.mktemp("valkey"), port=port) as server:
        publish(server.url, generation)
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def service(serving: Image, store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the image's service, whose HOME is nowhere."""
    log = tmp_path_factory.mktemp("service") / "log"
    command = [*serving.settings["Cmd"][:4], "--port", "0"]
    told = {
        "HOME": "/nonexistent",
        "NUMBA_CACHE_DIR": "/tmp/numba",
        "TAXOHASH_REDIS_URL": store,
        "TAXOHASH_COLLECTION": COLLECTION,
    }
    with log.open("wb") as err, serving.start(told, command, stdout=subprocess.PIPE, stderr=err) as process:
        try:
            assert process.stdout
            assert select.select([process.stdout], [], [], 120)[0], log.read_text()
            line = process.stdout.readline().decode()
            assert line.startswith("serving "), log.read_text()
            yield line.split()[1]
        finally:
            process.terminate()


def test_it_answers_without_compiling(serving: Image, service: str) -> None:
    until(lambda: httpx.get(f"{service}/readyz").status_code == 200)
    answered = httpx.post(f"{service}/v1/search", files={"image": ("p.png", PICTURES[3])}, timeout=60)
    assert answered.status_code == 200, answered.text
    assert answered.json()["results"][0]["id"] == IDS[3]
    # Whoever compiles keeps it: pods of the service write nothing there.
    (pid,) = [
        int(found.name)
        for found in Path("/proc").iterdir()
        if found.name.isdigit()
        and "services.retrieval.server.worker" in _command(found)
        and _root(found) == serving.root
    ]
    assert not (Path(f"/proc/{pid}/root/tmp/numba")).exists()
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert "torch" not in maps


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _root(process: Path) -> Path | None:
    try:
        return (process / "root").readlink()
    except OSError:
        return None


def test_the_image_of_pipelines_has_what_they_call(pipelines: Image) -> None:
    home = {"HOME": "/tmp", "NUMBA_CACHE_DIR": "/tmp/numba"}
    assert pipelines.settings["User"] == "1000:1000"
    check_versions(pipelines, "taxohash", "taxohash-platform")
    check_left(pipelines)
    assert pipelines.said(home, "git", "--version").startswith("git version ")
    for words in (
        ["trigger", "--help"],
        ["pipeline", "backfill", "--help"],
        ["data", "--help"],
        ["train", "--help"],
    ):
        assert "Usage" in pipelines.said(home, "taxohash", *words).replace("usage", "Usage")
    told = pipelines.said(
        home, "python3", "-c", "import torch, kfp, dvc.api; print(torch.version.cuda, torch.rand(2).shape)"
    )
    assert told.strip() == "None torch.Size([2])"


def test_the_list_of_pipelines_is_whole(pipelines: Image, schema: Draft7Validator) -> None:
    check_list(pipelines, schema, PLACE / "python-train.cdx.json")
