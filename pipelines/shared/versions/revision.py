"""Which data version a git revision names, of a repository here or at a URL."""

import os
import subprocess
import tempfile
from pathlib import Path

from taxohash.errors import TaxohashError, UnavailableError
from taxohash.runtime.git import unattended, without_password
from taxohash.runtime.tracked import named_md5, tracked_at

SECONDS = 120.0  # for a server to answer


class _GitError(Exception):
    """What git says, in one line."""

    kind: type[TaxohashError] = TaxohashError


class _FetchError(_GitError):
    """What git says where a server gives nothing."""

    kind = UnavailableError


def resolve(repository: str, revision: str = "HEAD") -> str:
    """The directory md5 in data.dvc at a git revision, e.g. '7c9c….dir'.

    Args:
        repository: a folder in a git repository, or the URL of one. Passwords are git's own affair: its credential helpers,
            GIT_ASKPASS, or an SSH key (GIT_SSH_COMMAND).
        revision: a branch, a tag or a commit, here also such as HEAD~1; of another .dvc file than data.dvc, REVISION:FOLDER.

    Raises:
        TaxohashError: no such repository, revision or file, no permission, or the file tracks no folder.
        UnavailableError: the server of a repository gives nothing; whether it ever will, it does not say.
    """
    commit, folder = tracked_at(revision)
    tracked = f"{folder}.dvc"
    shown = without_password(repository)
    try:
        text = (
            _read_here(repository, commit, tracked)
            if Path(repository).is_dir()
            else _read_there(repository, commit, tracked)
        )
    except _GitError as error:
        reason = str(error).replace(repository, shown)
        raise error.kind(
            f"{tracked} at {commit!r} of {shown} cannot be read ({reason}): "
            "name a branch, a tag or a commit that has it"
        ) from None
    return named_md5(text, f"{tracked} at {commit!r} of {shown}")


def _read_here(repository: str, commit: str, tracked: str) -> str:
    found = _git(repository, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}").strip()
    above = _git(repository, "rev-parse", "--show-prefix").strip()
    return _git(repository, "show", f"{found}:{os.path.normpath(above + tracked)}")


def _read_there(repository: str, commit: str, tracked: str) -> str:
    """Only the one commit is fetched."""
    with tempfile.TemporaryDirectory() as scratch:
        _git(scratch, "init", "--quiet", "--bare")
        try:
            _git(
                scratch, "fetch", "--quiet", "--depth=1", "--no-tags", "--end-of-options", repository, commit
            )
        except _GitError as error:
            raise _FetchError(error) from None
        return _git(scratch, "show", f"FETCH_HEAD:{os.path.normpath(tracked)}")


def _git(folder: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=unattended(os.environ),
            start_new_session=True,  # without a terminal, at which ssh would ask
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _GitError(f"no answer in {SECONDS:g} s") from None
    except OSError:
        raise _GitError("git is not installed") from None
    except ValueError:
        raise _GitError("there is a null byte in it") from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").split("\n")
        said = next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[0])
        raise _GitError(said.partition(": ")[2].strip() or said.strip() or "git failed")
    return done.stdout.decode(errors="replace")
