"""Work for a backfill: generations with hashers, and items that came without codes."""

from pathlib import Path

import pytest

from services.codestore import CodeStore, GenerationRef, Item
from services.codestore.pictures import Pictures
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.generations import TAXONOMY, make_generation, pictures

COLLECTION = "default"
PICTURES = pictures(6)
CODED = ("kept 0", "kept 1", "by address")  # with the first three pictures


def hashers_in(generations: Path) -> list[Hasher]:
    """Two generations, in a folder of generations."""
    generations.mkdir()
    found = []
    for seed in (0, 1):
        draft = generations / "draft"
        folder = generations / make_generation(draft, seed=seed).id
        draft.rename(folder)
        found.append(Hasher(folder))
    return found


def ref_of(hasher: Hasher) -> GenerationRef:
    generation = hasher.generation
    return GenerationRef(generation.id, generation.bits, generation.taxonomy_sha256)


def with_items(
    store: CodeStore, hashers: list[Hasher], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seal these generations over items of the API: by content, by address, one that is no picture, and one without."""
    monkeypatch.setenv("TAXOHASH_PICTURES", str(folder / "pictures"))
    monkeypatch.setenv("TAXOHASH_URI_PREFIXES", f"file://{folder}")
    monkeypatch.setenv(
        "TAXOHASH_REDIS_URL", "redis://unused"
    )  # not the user's own, with generations beside it
    kept = Pictures.open(folder / "pictures").put_many([*PICTURES[:2], b"no picture"])
    (folder / "a.png").write_bytes(PICTURES[2])
    store.create(COLLECTION, TAXONOMY, segments=2)
    for hasher in hashers:
        store.begin(COLLECTION, ref_of(hasher))
        store.seal(COLLECTION, hasher.generation.id)
    items = [Item(f"kept {i}", picture=digest) for i, digest in enumerate(kept[:2])]
    items += [Item("by address", uri=f"file://{folder}/a.png"), Item("bad", picture=kept[2]), Item("none")]
    store.upsert(COLLECTION, items)


def backfilled(store: CodeStore, collection: str, hasher: Hasher, pictures: Pictures) -> None:
    """Bring the codes that a generation lacks, from the pictures of its items or of the data set's thumbnails."""
    generation = hasher.generation.id
    for part in store.lacking(collection, generation):
        codes = hasher.encode(decode(pictures.get(item.picture)) for item in part)
        store.put_codes(
            collection, generation, [item.id for item in part], codes, [item.revision for item in part]
        )
