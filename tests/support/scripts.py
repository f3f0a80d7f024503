"""A script of scripts/ in a project of its own, with stand-ins for what needs a network."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def project_of(folder: Path, script: str, tools: Sequence[str], stand_ins: Mapping[str, str]) -> Path:
    """A project with this script, whose PATH has these tools of the machine and these programs, by name and text."""
    for name in ("scripts", "bin"):
        (folder / name).mkdir()
    shutil.copy(ROOT / "scripts" / script, folder / "scripts")
    for tool in tools:
        (folder / "bin" / tool).symlink_to(str(shutil.which(tool)))
    for name, text in stand_ins.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    return folder


def said_by(project: Path, script: str, **variables: str) -> str:
    """What the script prints; it never fails. Stand-ins know the project as $PROJECT."""
    done = subprocess.run(
        ["sh", f"scripts/{script}"],
        cwd=project,
        env={"PATH": str(project / "bin"), "PROJECT": str(project), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
