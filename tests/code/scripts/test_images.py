"""scripts/images, with stand-ins for Debian's tools and for Buildah; the real ones build in tests/system/test_images.py."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.scripts import ROOT, project_of

TOOLS = (
    "basename", "cat", "chmod", "cp", "dirname", "echo", "grep", "head", "ln", "mkdir", "mktemp", "mv", "rm", "sed", "sh", "sort", "tail",
    "touch", "tr",
)  # fmt: skip
APT_GET = """#!/bin/sh
case "$*" in *download*) touch buildah.deb ;; esac
"""
# Unpacks a Buildah that notes what it is told, and shows the secrets and the folders it is handed.
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin" "$3/usr/lib/some-linux-gnu" "$3/lib/some-linux-gnu"
cp "$PROJECT/buildah" "$3/usr/bin/buildah"
printf '#!/bin/sh\\n' >"$3/usr/bin/patchelf"
chmod 755 "$3"/usr/bin/*
"""
BUILDAH = """#!/bin/sh
echo "$*" >>"$PROJECT/calls"
case "$*" in
*serving.Containerfile*|*pipelines.Containerfile*)
    cp "$(echo "$*" | sed 's/.*id=pip,src=\\([^ ]*\\).*/\\1/')" "$PROJECT/pip.conf"
    [ -e "$PROJECT/broken" ] && { echo 'error: no such stage' >&2; exit 1; } ;;
*FromImageDigest*) echo sha256:12 ;;
mount*) mkdir -p "$PROJECT/mounted/usr/share/taxohash" && echo '{}' >"$PROJECT/mounted/usr/share/taxohash/sbom.cdx.json" && echo "$PROJECT/mounted" ;;
images*) echo "name sha256:34 600 MB" ;;
esac
exit 0
"""
PYTHON3 = """#!/bin/sh
echo ":env:.timeout='180'"
echo "global.cert='/etc/ca.crt'"
echo "global.extra-index-url='file:///opt/index/simple https://me:hidden@index.example/simple'"
echo "global.timeout='15'"
"""
STAND_INS = {
    "apt-get": APT_GET,
    "dpkg": DPKG,
    "git": "#!/bin/sh\nexit 1\n",
    "id": "#!/bin/sh\necho 0\n",
    "python3": PYTHON3,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of root's, on a machine that has made its base already."""
    project_of(tmp_path, "images", TOOLS, STAND_INS)
    (tmp_path / "buildah").write_text(BUILDAH)
    (tmp_path / ".cache" / "images").mkdir(parents=True)
    (tmp_path / ".cache" / "images" / "base.tar").write_text("base")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 1.2.3\n")
    python.chmod(0o755)
    return tmp_path


def images(project: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, and what it says to whom; nothing half is left."""
    done = subprocess.run(
        ["sh", "scripts/images", *words],
        cwd=project,
        env={"PATH": str(project / "bin"), "PROJECT": str(project)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not list((project / ".cache" / "images").glob("work.*"))
    return done.returncode, done.stdout, done.stderr


def test_a_recipe_is_run_with_the_base_and_with_how_pip_finds_packages(project: Path) -> None:
    code, said, wrong = images(project, "pipelines")
    assert (code, wrong) == (0, "")
    assert said.splitlines()[-2:] == [
        f"  {project}/.cache/images/python-train.tar",
        f"  {project}/.cache/images/python-train.cdx.json",
    ]
    (call,) = [
        line for line in (project / "calls").read_text().splitlines() if "pipelines.Containerfile " in line
    ]
    assert "--timestamp 0 " in call
    assert "-t docker.io/taxohash/python-train:1.2.3 " in call
    assert "--build-arg BASE=localhost/taxohash-base --build-arg BASE_DIGEST=sha256:12" in call
    assert "--volume /etc/ca.crt:/etc/ca.crt:ro" in call
    assert "--volume /opt/index:/opt/index:ro" in call
    assert (project / "pip.conf").read_text().splitlines() == [
        "[global]",
        "cert = /etc/ca.crt",
        "extra-index-url = file:///opt/index/simple https://me:hidden@index.example/simple",
        "timeout = 180",
    ]
    assert "hidden" not in (project / "calls").read_text()


def test_a_build_that_fails_is_told_in_one_line(project: Path) -> None:
    (project / "broken").touch()
    code, _, wrong = images(project, "pipelines")
    (line,) = wrong.splitlines()
    assert code == 1
    assert line.startswith(
        "images: manifests/images/pipelines.Containerfile cannot be built (error: no such stage): "
    )


def test_where_it_cannot_run_is_told_by_77(project: Path) -> None:
    (project / "bin" / "apt-get").write_text("#!/bin/sh\nexit 100\n")
    code, _, wrong = images(project, "pipelines")
    assert (code, wrong.count("\n")) == (77, 1)
    assert wrong.startswith("images: apt-get could not download buildah ")
    (project / "bin" / "id").write_text("#!/bin/sh\necho 1000\n")
    code, _, wrong = images(project, "pipelines")
    assert code == 77
    assert wrong.startswith("images: only root can build without a daemon: build manifests/images/")


@pytest.mark.parametrize("words", [(), ("training",)])
def test_a_wrong_name_is_told(project: Path, words: tuple[str, ...]) -> None:
    code, _, wrong = images(project, *words)
    assert (code, wrong.count("\n")) == (1, 1)
    assert "serving or pipelines" in wrong


def test_make_images_calls_it() -> None:
    (recipe,) = [part for part in (ROOT / "Makefile").read_text().split("\n\n") if part.startswith("images:")]
    assert "sh scripts/images" in recipe
    assert os.access(ROOT / "scripts" / "images", os.X_OK)
