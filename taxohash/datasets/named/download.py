"""Files from a URL or from a Debian package, without root and without touching what the system has installed; and their cache."""

import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import new_folder
from taxohash.runtime.progress import console

TIMEOUT = 60.0  # seconds without a byte


def download(url: str, file: Path) -> None:
    """Save what a URL holds.

    Raises:
        TaxohashError: it cannot be fetched.
    """
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, file.open("wb") as stream:
            shutil.copyfileobj(answer, stream)
    except (OSError, ValueError, HTTPException) as error:  # a ValueError: no URL
        raise TaxohashError(
            f"{url} cannot be downloaded ({error}): check the address and the network"
        ) from None


def cached(name: str, fill: Callable[[Path], None]) -> Path:
    """The cache's folder of this name; when it is not there yet, `fill` gets a new one to put files into.

    The cache is $TAXOHASH_CACHE, or taxohash in $XDG_CACHE_HOME or ~/.cache. It can be deleted at any time.
    """
    root = (
        os.environ.get("TAXOHASH_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "taxohash"
    )
    folder = Path(root).expanduser() / name
    if not folder.is_dir():
        with new_folder(folder) as partial:
            fill(partial)
    return folder


def unpack(package: str, wanted: Path, into: Path) -> None:
    """Download a package with apt, which checks its signature, and copy the files of its folder `wanted` to `into`.

    Args:
        package: name in the configured Debian archive.
        wanted: folder inside the package, relative to the root.
        into: folder that gets the files; it exists.

    Raises:
        TaxohashError: no apt here, no network, or no such package.
    """
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise TaxohashError(
                f"package {package} cannot be fetched ({tool} is not here): give the files as a source"
            )
    with (
        tempfile.TemporaryDirectory() as scratch,
        console.status(f"downloading the Debian package {package}"),
    ):
        folder = Path(scratch)
        downloaded = _download(package, folder) or _download(package, folder, own_lists=True)
        if not downloaded:
            raise TaxohashError(
                f"package {package} cannot be downloaded: connect to a Debian archive or give the files as a source"
            )
        subprocess.run(["dpkg", "-x", downloaded, folder / "tree"], check=True, capture_output=True)
        for file in (folder / "tree" / wanted).iterdir():
            shutil.copyfile(file, into / file.name)


def _download(package: str, folder: Path, own_lists: bool = False) -> Path | None:
    """Path of the downloaded .deb; with `own_lists`, from package lists fetched into `folder`, not the system's."""
    options = ["-o", "APT::Sandbox::User=root"]
    if own_lists:
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "cache" / "archives" / "partial").mkdir(parents=True)
        options += ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"]
        _apt(["update", *options], folder)
    _apt(["download", *options, package], folder)
    return next(folder.glob(f"{package}_*.deb"), None)


def _apt(arguments: list[str], folder: Path) -> None:
    subprocess.run(
        ["apt-get", "-qq", *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
