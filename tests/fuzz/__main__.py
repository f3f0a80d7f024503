"""Fuzz one target with atheris: `python -m tests.fuzz TARGET [-option=value ...]`, or repeat a find: `... TARGET FILE`.

A target is a module beside this one. Its `attempt(data, folder)` returns, or raises what is wrong; `seeds()` are inputs
to begin with, `WORDS` the words of the format, `MEMORY` what the process may take in MB, and `mutate`, where it has one,
changes an input so that the checksums in it stay right. Options are libFuzzer's.
"""

import hashlib
import importlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import atheris

from taxohash.runtime.sources import ROOT

HANG = 60  # seconds that one input may take; the machine may be busy
# Numba reads the bytecode of what it compiles, so that must be as Python made it.
COMPILED = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for folder in ("taxohash/hamming/kernels", "taxohash/metrics")
    for file in (ROOT / folder).glob("*.py")
]


def main() -> None:
    """Run one target; libFuzzer ends the process."""
    name, arguments = sys.argv[1], sys.argv[2:]
    for module in [module for module in sys.modules if module.startswith("taxohash")]:
        del sys.modules[module]  # imported again, it is watched
    with atheris.instrument_imports(
        include=["taxohash", "services.codestore.sampled", "PIL"], exclude=COMPILED
    ):
        target = importlib.import_module(f"tests.fuzz.{name}")
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    room = folder / "room"
    room.mkdir()
    if all(argument.startswith("-") for argument in arguments):
        arguments = [*arguments, str(_corpus(target.seeds(), folder))]
        for seed in target.seeds():
            target.attempt(seed, room)  # kernels are compiled before an input's time counts
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS))
    atheris.Setup(
        [name, f"-timeout={HANG}", f"-rss_limit_mb={target.MEMORY}", f"-dict={words}", *arguments],
        lambda data: _attempt(target, data, room),
        custom_mutator=getattr(target, "mutate", None),
    )
    atheris.Fuzz()


def _attempt(target: ModuleType, data: bytes, room: Path) -> None:
    """Try an input, and keep it if it is a find: libFuzzer's own way out can be cut short by its clock."""
    try:
        target.attempt(data, room)
    except BaseException:
        Path(f"crash-{hashlib.sha1(data).hexdigest()}").write_bytes(data)
        raise


def _corpus(seeds: Iterable[bytes], folder: Path) -> Path:
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number:03d}").write_bytes(seed)
    return corpus


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
