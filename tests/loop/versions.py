"""The project whose data are versioned: a git repository with a data.dvc, and the remote that DVC pushes to."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.dvc_remote import lay_out


@dataclass(frozen=True)
class Project:
    """Where somebody adds data; `git push` and `dvc push` in one.

    Attributes:
        folder: the repository.
        remote: folder that holds the data versions.
    """

    folder: Path
    remote: Path

    @classmethod
    def begin(cls, folder: Path, remote: Path) -> "Project":
        """A repository without a commit."""
        folder.mkdir()
        project = cls(folder, remote)
        project._git("init", "--quiet", "--initial-branch=main")
        return project

    def push(self, data: Path, message: str) -> str:
        """Make a folder the newest data version; its md5. The bytes are there before the commit that names them."""
        md5 = lay_out(data, self.remote)
        (self.folder / "data.dvc").write_text(f"outs:\n- md5: {md5}\n  hash: md5\n  path: data\n")
        self._git("add", "data.dvc")
        self._git("commit", "--quiet", f"--message={message}")
        shutil.rmtree(data)
        return md5

    def _git(self, *words: str) -> None:
        identity = ("-c", "user.name=data", "-c", "user.email=data@example.org")
        subprocess.run(["git", "-C", str(self.folder), *identity, *words], check=True)
