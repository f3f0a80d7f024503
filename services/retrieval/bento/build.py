"""Pack a generation as a Bento: `python -m services.retrieval.bento.build GENERATION_DIR [--bento-home DIR]`.

The Bento holds the generation as a model, the sources of `taxohash` and `services`, the compiled kernels of search for
several kinds of CPUs, and what the serving extra requires, at the versions installed here. Its version names the
generation and what was packed with it, so the same content is built once. The last line printed is its tag.
"""

import contextlib
import hashlib
import os
import shutil
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from services.retrieval.bento import kernels
from taxohash.errors import TaxohashError
from taxohash.generation.manifest import Generation
from taxohash.generation.signature import SIGNATURE, read_signature
from taxohash.runtime import sources
from taxohash.runtime.atomic import writable
from taxohash.runtime.flags import Parser
from taxohash.runtime.requirements import installed
from taxohash.runtime.terminal import printable

SERVICE = "services.retrieval.bento.service:Retrieval"
BENTO = "taxohash-retrieval"
MODEL = "taxohash-generation"
PACKAGES = ("taxohash", "services")
LENGTHS = "64,128,256"


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="python -m services.retrieval.bento.build", description=__doc__)
    parser.add_argument("generation", type=Path, help="folder of the generation")
    parser.add_argument("--bento-home", type=Path, help="where Bentos and models are kept (BENTOML_HOME)")
    parser.add_argument(
        "--kernels",
        type=_lengths,
        metavar="BITS,...|none",
        default=LENGTHS,
        help=f"lengths of codes that compiled kernels are packed for; others are compiled when they are served [{LENGTHS}]",
    )
    chosen = parser.parse_args(arguments)
    os.environ["BENTOML_DO_NOT_TRACK"] = "true"
    try:
        if chosen.bento_home:
            os.environ["BENTOML_HOME"] = str(writable(chosen.bento_home.resolve()))
        tag = build(chosen.generation, chosen.kernels)
    except TaxohashError as error:
        print(f"build: {printable(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("build: interrupted", file=sys.stderr)
        return 130
    print(tag)
    return 0


def build(folder: Path, lengths: Sequence[int]) -> str:
    """The tag of the Bento of the generation in `folder`, built unless it is there already.

    Args:
        lengths: of codes, in bits, for which compiled kernels are packed; as many words share them.

    Raises:
        TaxohashError: the folder is no sound generation, or kernels cannot be compiled.
    """
    import bentoml  # reads BENTOML_HOME when it is imported
    from bentoml.exceptions import NotFound

    generation = Generation.load(folder)
    required = installed(sources.PLATFORM, ["serve"])
    signature = read_signature(folder)
    packed, parts = sources.files(*PACKAGES), kernels.parts(lengths)
    digest = sources.digest(packed, [*required, *parts, *_digests(signature)])
    version = f"{generation.id}-{digest[:8]}"
    with contextlib.suppress(NotFound):
        return str(bentoml.bentos.get(f"{BENTO}:{version}").tag)
    with contextlib.redirect_stdout(sys.stderr), TemporaryDirectory() as context:  # stdout is the tag alone
        bento = bentoml.bentos.build(
            SERVICE,
            name=BENTO,
            version=version,
            build_ctx=context,
            include=_context(packed, lengths, Path(context)),
            models=[_pack_model(folder, generation, signature)],
            labels={"generation": generation.id},
            description=f"Image retrieval with the codes of generation {generation.id}.",
            python={"packages": required, "lock_packages": False},
            docker={"python_version": f"{sys.version_info.major}.{sys.version_info.minor}"},
        )
    return str(bento.tag)


def _context(packed: Sequence[str], lengths: Sequence[int], out: Path) -> list[str]:
    """Put sources and compiled kernels together; the files, relative to `out`."""
    compiled = kernels.compiled(lengths) if lengths else None
    for name in packed:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sources.ROOT / name, out / name)
    return [*packed, *(kernels.copy(compiled, kernels.parts(lengths), out) if compiled else ())]


def _lengths(text: str) -> list[int]:
    """Lengths of codes, comma-separated."""
    try:
        lengths = [] if text == "none" else [int(part) for part in text.split(",")]
    except ValueError:
        lengths = [0]
    if min(lengths, default=1) < 1:
        raise ArgumentTypeError(
            f"{text!r} is no list of code lengths in bits: write one such as {LENGTHS}, or none"
        )
    return lengths


def _digests(signature: bytes | None) -> list[str]:
    """What tells a signed generation from the same one unsigned, or signed by another key; nothing of one that is not."""
    return [] if signature is None else [hashlib.sha256(signature).hexdigest()]


def _pack_model(folder: Path, generation: Generation, signature: bytes | None) -> str:
    """The tag of the model that holds the generation's files, as they are, and its signature."""
    import bentoml
    from bentoml.exceptions import NotFound

    tag = "-".join([f"{MODEL}:{generation.id}", *(digest[:8] for digest in _digests(signature))])
    with contextlib.suppress(NotFound):
        return str(bentoml.models.get(tag).tag)
    with bentoml.models.create(tag, labels={"bits": str(generation.bits)}) as model:
        for name in ["generation.json", *generation.files]:
            shutil.copy(folder / name, model.path_of(name))
        if signature is not None:
            Path(model.path_of(SIGNATURE)).write_bytes(signature)
    return tag


if __name__ == "__main__":
    sys.exit(main())
