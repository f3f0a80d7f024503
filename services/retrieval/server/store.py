"""Code store and generations that are served from: those that are named, or the user's own, kept for as long as we run."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services import settings
from services.processes import end_with_parent
from taxohash.errors import TaxohashError


@contextmanager
def stores(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Variables that name them where the environment names no code store, and the store of pictures beside it; the user's own is there
    while the block lasts.

    Raises:
        TaxohashError: see `own.address`.
    """
    if settings.REDIS_URL.of(environment):
        yield {}
        return
    from services.codestore.generation_files import GenerationFiles
    from services.codestore.own import address  # with redis, which nobody else here needs
    from services.codestore.pictures import Pictures

    with address(environment) as url:
        own = {settings.REDIS_URL.name: url}
        if files := GenerationFiles.named(environment):
            own[settings.GENERATIONS.name] = files.address
        if not settings.PICTURES.of(environment):  # or the first item that is put would have no place
            own[settings.PICTURES.name] = Pictures.from_environment(environment).address
        yield own


def publish_first(environment: Mapping[str, str], sources: Path) -> None:
    """Have what is at hand published where nothing is, in a process of its own, since that loads a hasher.

    Raises:
        TaxohashError: it cannot be; why, that process has said.
    """
    command = [sys.executable, "-m", "services.retrieval.first_generation"]
    done = subprocess.run(
        command,
        env=dict(environment),
        cwd=sources,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=end_with_parent,
        check=False,
    )
    if done.returncode:
        raise TaxohashError("nothing is served: put right what is said above")
