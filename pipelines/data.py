"""Put the data set that data.dvc names into data/: what is there, then a DVC remote, then the publisher of Fashion-MNIST.

What lies in data/ and is no version that DVC keeps is somebody's own: it is never touched, nor are they told to move it.
"""

import subprocess
import sys
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxohash.datasets import Dataset
from taxohash.datasets.identity import directory_md5
from taxohash.datasets.named import prepare
from taxohash.errors import TaxohashError
from taxohash.runtime.flags import Parser
from taxohash.runtime.tracked import named_md5

if TYPE_CHECKING:
    from dvc.repo import Repo

NAME = "fashion-mnist"
# Of what `prepare` makes with the packages of constraints.txt: another set is never made in place of one's own.
NAME_MD5 = "a6f484b39484e1905a12fea200e30714.dir"
_PULL = "import sys; from pathlib import Path; from pipelines.data import pull; sys.exit(pull(Path(sys.argv[1]), sys.argv[2]))"


class Pulled(IntEnum):
    """What came of asking DVC; the exit code of the process that asked."""

    DONE = 0
    FAILED = 1
    NO_REMOTE = 3
    OWN_DATA = 4


def tracked_md5(file: Path) -> str:
    """The directory md5 in a .dvc file.

    Raises:
        TaxohashError: no such file, or it does not track a folder.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise TaxohashError(f"{file} cannot be read ({error.strerror}): restore it from git") from None
    except UnicodeDecodeError:
        raise TaxohashError(f"{file} is not UTF-8 text: restore it from git") from None
    return named_md5(text, str(file))


def obtain(root: Path = Path(), source: str | None = None) -> Dataset:
    """Make `root`/data what `root`/data.dvc names, with as little work as it takes, and open it.

    Raises:
        TaxohashError: data/ is something else, or what is named cannot be had; tells the md5s and what helps.
    """
    data, wanted = root / "data", tracked_md5(root / "data.dvc")
    if data.is_dir() and not any(data.iterdir()):
        data.rmdir()
    found = directory_md5(data) if data.exists() else None
    if found == wanted:
        return Dataset.open(data)
    pulled = _ask_dvc(root, found or "")
    if pulled is not Pulled.DONE:
        if found is not None:
            raise TaxohashError(
                f"data/ has the md5 {found} but data.dvc names {wanted}: {_command(root, 'dvc add data')} makes it name yours"
            )
        if wanted != NAME_MD5:
            raise TaxohashError(f"data/ is not there and data.dvc names {wanted}, {_missing(pulled)}")
        prepare(NAME, data, source)
    if (found := directory_md5(data)) != wanted:
        raise TaxohashError(
            f"data/ got the md5 {found} but data.dvc names {wanted}: install the packages of constraints.txt, remove data/ "
            "and repeat"
        )
    return Dataset.open(data)


def pull(root: Path, found: str) -> Pulled:
    """Pull data.dvc from its remote, unless data/, whose md5 is `found` ("" if it is not there), is no version that DVC keeps.

    Works in a copy without .git, too. DVC's progress is shown, and why it fails.
    """
    from dvc.exceptions import DvcException

    try:
        with _repository(root) as repo:
            if found and not repo.cache.local.exists(found):
                return Pulled.OWN_DATA
            if not repo.config["remote"]:
                return Pulled.NO_REMOTE
            repo.pull(targets=[str(root / "data.dvc")])
    except DvcException as error:
        print(f"dvc: {' '.join(str(error).split())}", file=sys.stderr)
        return Pulled.FAILED
    return Pulled.DONE


def _repository(root: Path) -> "Repo":
    from dvc.repo import Repo
    from dvc.scm import SCMError

    with suppress(SCMError):
        return Repo(str(root))
    without_git: dict[str, Any] = {"core": {"no_scm": True}}
    return Repo(str(root), config=without_git)


def _ask_dvc(root: Path, found: str) -> Pulled:
    """`pull` in a process of its own, without a terminal: DVC asks nothing, and its threads and settings end with it."""
    command = [sys.executable, "-c", _PULL, str(root.absolute()), found]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    return Pulled(done.returncode) if done.returncode in list(Pulled) else Pulled.FAILED


def _missing(pulled: Pulled) -> str:
    if pulled is Pulled.NO_REMOTE:
        return "but no DVC remote is configured: name the one that has it with `dvc remote add -d NAME URL`"
    return "which the DVC remote did not give: see above, and look at `dvc remote list`"


def _command(root: Path, command: str) -> str:
    """A command of DVC's as it works here."""
    if any((folder / ".git").exists() for folder in (root.absolute(), *root.absolute().parents)):
        return f"`{command}`"
    return f"`dvc config --local core.no_scm true` (there is no git here), then `{command}`"


if __name__ == "__main__":
    Parser(prog="python -m pipelines.data", description=__doc__).parse_args()
    try:
        opened = obtain()
    except TaxohashError as problem:
        sys.exit(f"data: {problem}")
    print(f"data/ holds {opened.taxonomy.name}, {' and '.join(opened.splits)}")
