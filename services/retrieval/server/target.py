"""What `taxohash serve TARGET` means: which sources run, and which generation and collection they are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services import settings
from services.retrieval.server import bentos
from taxohash.errors import TaxohashError
from taxohash.runtime.sources import ROOT


@dataclass(frozen=True)
class Target:
    """What is served.

    Attributes:
        sources: folder that has the package `services`.
        variables: of the environment, as TARGET asks for them.
    """

    sources: Path
    variables: dict[str, str] = field(default_factory=dict)


def target_of(text: str | None, environment: Mapping[str, str], bento_home: Path) -> Target:
    """A folder of a generation or of a Bento, the tag of a Bento, else the name of a collection.

    Args:
        text: None: the Bento that BENTO_PATH names, as in an image that BentoML made, else the sources at hand.

    Raises:
        TaxohashError: it is none of these.
    """
    if text is None:
        image = Path(environment.get("BENTO_PATH") or "/")
        return _bento(image, environment, bento_home) if (image / bentos.FILE).is_file() else Target(ROOT)
    path = Path(text)
    if path.is_dir():
        return _folder(path.resolve(), environment, bento_home)
    if bentos.TAG.fullmatch(text):
        return _bento(bentos.folder_of(text, bento_home), environment, bento_home)
    if path.exists() or not text or any(letter in text for letter in "/\\:"):
        raise TaxohashError(
            f"{text!r} cannot be served: give the folder of a generation or of a Bento, the tag of a Bento, or a collection"
        )
    return Target(ROOT, {"TAXOHASH_COLLECTION": text})


def _folder(folder: Path, environment: Mapping[str, str], bento_home: Path) -> Target:
    if (folder / "generation.json").is_file():
        variables = {settings.GENERATION.name: str(folder)}
        # The user's own store has generations beside it, in which what is first published is put.
        if settings.REDIS_URL.of(environment) and not settings.GENERATIONS.of(environment):
            variables[settings.GENERATIONS.name] = str(folder.parent)
        return Target(ROOT, variables)
    if (folder / bentos.FILE).is_file():
        return _bento(folder, environment, bento_home)
    raise TaxohashError(
        f"{folder} has neither generation.json nor {bentos.FILE}: give the folder of a generation or of a Bento"
    )


def _bento(folder: Path, environment: Mapping[str, str], bento_home: Path) -> Target:
    sources = folder / "src"
    if not (sources / "services" / "retrieval" / "server").is_dir():
        raise TaxohashError(f"{folder} has no sources that can be served: build the Bento anew")
    if environment.get("TAXOHASH_GENERATION", "").strip():
        return Target(sources)
    return Target(sources, {"TAXOHASH_GENERATION": str(bentos.packed(folder, bento_home))})
