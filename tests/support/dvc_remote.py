"""Data versions in DVC remotes: by DVC itself, and quickly by its layout."""

import hashlib
import json
import shutil
import warnings
from pathlib import Path


def push(data: Path, remote: str, scratch: Path) -> str:
    """Push a folder with DVC, in a project without git; the version's md5."""
    from dvc.repo import Repo

    (scratch / ".dvc").mkdir(parents=True)
    (scratch / ".dvc" / "config").write_text(
        f"[core]\n    no_scm = true\n    analytics = false\n    remote = there\n['remote \"there\"']\n    url = {remote}\n"
    )
    shutil.copytree(data, scratch / "data")
    with warnings.catch_warnings(action="ignore"), Repo(str(scratch)) as repo:  # DVC's own
        (stage,) = repo.add([str(scratch / "data")])
        repo.push()
        md5: str = stage.outs[0].hash_info.value
    return md5


def lay_out(data: Path, remote: Path) -> str:
    """What `push` to a folder puts there."""
    entries = []
    for file in sorted(path for path in data.rglob("*") if path.is_file()):
        md5 = _put(file.read_bytes(), remote)
        entries.append({"md5": md5, "relpath": file.relative_to(data).as_posix()})
    return _put(json.dumps(entries, sort_keys=True).encode(), remote, ".dir") + ".dir"


def _put(data: bytes, remote: Path, suffix: str = "") -> str:
    md5 = hashlib.md5(data).hexdigest()
    file = remote / "files" / "md5" / md5[:2] / (md5[2:] + suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return md5
