"""Pack a generation as a Bento: `python -m services.retrieval.bento.build GENERATION_DIR [--bento-home DIR]`.

The Bento holds the generation as a model, the sources of `taxohash` and `services`, and what the serving extra
requires, at the versions installed here. Its version names the generation and what was packed with it, so the same
content is built once. The last line printed is its tag.
"""

import contextlib
import os
import shutil
import sys
from pathlib import Path

from taxohash.errors import TaxohashError
from taxohash.generation.manifest import Generation
from taxohash.runtime import sources
from taxohash.runtime.atomic import writable
from taxohash.runtime.flags import Parser
from taxohash.runtime.requirements import installed
from taxohash.runtime.terminal import printable

SERVICE = "services.retrieval.bento.service:Retrieval"
BENTO = "taxohash-retrieval"
MODEL = "taxohash-generation"
PACKAGES = ("taxohash", "services")


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="python -m services.retrieval.bento.build", description=__doc__)
    parser.add_argument("generation", type=Path, help="folder of the generation")
    parser.add_argument("--bento-home", type=Path, help="where Bentos and models are kept (BENTOML_HOME)")
    chosen = parser.parse_args(arguments)
    os.environ["BENTOML_DO_NOT_TRACK"] = "true"
    try:
        if chosen.bento_home:
            os.environ["BENTOML_HOME"] = str(writable(chosen.bento_home.resolve()))
        tag = build(chosen.generation)
    except TaxohashError as error:
        print(f"build: {printable(error)}", file=sys.stderr)
        return 2
    print(tag)
    return 0


def build(folder: Path) -> str:
    """The tag of the Bento of the generation in `folder`, built unless it is there already.

    Raises:
        TaxohashError: the folder is no sound generation.
    """
    import bentoml  # reads BENTOML_HOME when it is imported
    from bentoml.exceptions import NotFound

    generation = Generation.load(folder)
    required = installed(sources.PLATFORM, ["serve"])
    packed = sources.files(*PACKAGES)
    version = f"{generation.id}-{sources.digest(packed, required)[:8]}"
    with contextlib.suppress(NotFound):
        return str(bentoml.bentos.get(f"{BENTO}:{version}").tag)
    with contextlib.redirect_stdout(sys.stderr):  # stdout is the tag alone
        bento = bentoml.bentos.build(
            SERVICE,
            name=BENTO,
            version=version,
            build_ctx=str(sources.ROOT),
            include=packed,
            models=[_pack_model(folder, generation)],
            labels={"generation": generation.id},
            description=f"Image retrieval with the codes of generation {generation.id}.",
            python={"packages": required, "lock_packages": False},
            docker={"python_version": f"{sys.version_info.major}.{sys.version_info.minor}"},
        )
    return str(bento.tag)


def _pack_model(folder: Path, generation: Generation) -> str:
    """The tag of the model that holds the generation's files, as they are."""
    import bentoml
    from bentoml.exceptions import NotFound

    tag = f"{MODEL}:{generation.id}"
    with contextlib.suppress(NotFound):
        return str(bentoml.models.get(tag).tag)
    with bentoml.models.create(tag, labels={"bits": str(generation.bits)}) as model:
        for name in ["generation.json", *generation.files]:
            shutil.copy(folder / name, model.path_of(name))
    return tag


if __name__ == "__main__":
    sys.exit(main())
