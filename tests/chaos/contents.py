"""What the items of a run hold. All of it follows from the id, the version and the picture's version, so any mixture shows."""

import hashlib
import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.codestore import GenerationRef, Item
from taxohash.taxonomy import Taxonomy

COLLECTION = "chaos"
SEGMENTS = 4
TAXONOMY = Taxonomy("chaos", tuple((f"node {label % 4}", f"label {label}") for label in range(12)))
DATA = "data"  # the version of what a data set brings; in generation G it is data.G

BOTH = tuple(
    f"both {number}" for number in range(24)
)  # in every data version, and changed by the API as well
DATA_ONLY = tuple(f"data\t{number}" for number in range(300))


@dataclass(frozen=True)
class Seen:
    """An item as some answer showed it; `code` is None while it is being encoded, or where the answer has none."""

    id: str
    labels: tuple[int, ...]
    tags: tuple[str, ...]
    code: bytes | None

    @property
    def version(self) -> str:
        return self.tags[0].removeprefix("v ") if self.tags else ""

    @property
    def picture(self) -> str:
        return self.tags[1].removeprefix("p ") if len(self.tags) > 1 else ""


def item_of(item_id: str, version: str, picture: str) -> Item:
    """The item of this version."""
    chance = random.Random(f"{item_id}|{version}|{picture}")
    labels = tuple(sorted(chance.sample(range(len(TAXONOMY)), chance.choice((0, 1, 1, 1, 2, 3)))))
    return Item(
        id=item_id,
        labels=labels,
        uri=f"mem:{picture}",
        thumbnail=hashlib.sha256(f"{item_id}|{version}".encode()).hexdigest()
        if chance.random() < 0.3
        else "",
        tags=(f"v {version}", f"p {picture}", *(f"extra {i}" for i in range(chance.randrange(3)))),
        metadata={"version": version} if chance.random() < 0.5 else {},
    )


def code_of(item_id: str, picture: str, generation: str) -> bytes:
    """The code of a picture in a generation, which nothing else has."""
    width = ref_of(generation).bits // 8
    return hashlib.blake2b(f"{item_id}|{picture}|{generation}".encode(), digest_size=width).digest()


def codes_of(pairs: list[tuple[str, str]], generation: str) -> npt.NDArray[np.uint8]:
    """uint8[N, width]: the codes of (id, picture)."""
    joined = b"".join(code_of(item_id, picture, generation) for item_id, picture in pairs)
    return np.frombuffer(joined, np.uint8).reshape(len(pairs), -1)


def ref_of(generation: str) -> GenerationRef:
    """Generations differ in their width too."""
    return GenerationRef(generation, 64 if int(generation[1:]) % 2 else 128, TAXONOMY.sha256)


def data_version(generation: str) -> frozenset[str]:
    """The ids of the data version that a generation is made of."""
    chance = random.Random(f"data version of {generation}")
    return frozenset((*BOTH, *(item_id for item_id in DATA_ONLY if chance.random() < 0.8)))


def defect(seen: Seen, generation: str) -> str:
    """What is wrong with an item that a generation shows, if anything."""
    if len(seen.tags) < 2:
        return f"has the tags {seen.tags}"
    if seen.version.startswith(DATA) and seen.version != f"{DATA}.{generation}":
        return f"mixes generations: it is the item of {seen.version}"
    whole = item_of(seen.id, seen.version, seen.picture)
    if (seen.labels, seen.tags) != (whole.labels, whole.tags):
        return f"of version {seen.version} has labels {seen.labels} and tags {seen.tags}, not {whole.labels} and {whole.tags}"
    if seen.code is None or seen.code == code_of(seen.id, seen.picture, generation):
        return ""
    for other in (f"g{number}" for number in range(1, int(generation[1:]) + 8)):
        if seen.code == code_of(seen.id, seen.picture, other):
            return f"mixes generations: its code is of {other}"
    return f"of picture {seen.picture} has a code that is none of it"
