"""Pictures read in processes that may take no more than was foretold: `python -m tests.support.confined`.

Each line of standard input is a file, a reader and a fit; each answer is the kind that a decoder gives. Every picture
has a process of its own, forked from one that has read nothing yet.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from services.retrieval.decoding import answers, confinement
from services.retrieval.decoding.decoder import environment
from services.retrieval.decoding.wire import Bounds, Kind
from taxohash.images import Preprocessing, cost

_SECONDS, _PIXELS = 120.0, 16_000_000


class Confined:
    """A process that answers for pictures."""

    def __init__(self, talk: "subprocess.Popen[str]", file: Path) -> None:
        self._talk = talk
        self._file = file

    def read(self, picture: bytes, reader: int, fit: Literal["pad", "crop"]) -> str:
        """The kind of the answer, or `killed`."""
        assert self._talk.stdin
        assert self._talk.stdout
        self._file.write_bytes(picture)
        print(self._file, reader, fit, file=self._talk.stdin, flush=True)
        return self._talk.stdout.readline().strip()


@contextmanager
def confined(folder: Path) -> Iterator[Confined]:
    """A process with the environment of a decoder; pictures go through a file in the folder."""
    command = [sys.executable, "-m", "tests.support.confined"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment()) as talk:
        yield Confined(talk, folder / "picture")
        assert talk.stdin
        talk.stdin.close()


def main() -> None:
    answers.warm_up()
    for line in sys.stdin:
        file, reader, fit = line.split()
        if child := os.fork():
            if os.waitpid(child, 0)[1]:
                print("killed", flush=True)
            continue
        picture = Path(file).read_bytes()
        foretold = cost(picture)
        preprocessing = Preprocessing(224, 3, fit, (0.0,) * 3, (1.0,) * 3, int(reader))  # type: ignore[arg-type]
        # The picture's own bytes are in what was foretold, and here already.
        confinement.confine(Bounds(foretold.memory - len(picture), _SECONDS, 0, _PIXELS))
        kind, body = answers.answer(
            json.dumps(preprocessing.as_dict()).encode(), picture, Bounds(0, _SECONDS, 0, _PIXELS)
        )
        print(kind.name, body.decode() if kind == Kind.REFUSED else "", flush=True)
        os._exit(0)


if __name__ == "__main__":
    main()
