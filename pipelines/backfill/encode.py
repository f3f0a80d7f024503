"""Hashers of all live generations over the pictures of items that lack a code."""

from pathlib import Path

from pipelines.shared.generations import bring
from services.codestore import CodeStore
from services.codestore.backfill import Backfilled, backfill
from services.codestore.pictures.sources import PictureSources
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import MANIFEST
from taxohash.runtime.progress import announce, bars


def encode_lacking(
    store: CodeStore, collection: str, generations: Path, sources: PictureSources, only: str | None = None
) -> Backfilled:
    """Encode once what the live generations of a collection lack, each by its own hasher; progress is shown.

    Args:
        generations: folder in which each generation's lies under its id; one that is neither there nor where services find
            theirs is told and passed over.
        only: a generation, instead of all.

    Raises:
        StoreUnavailableError: a store does not answer as it should.
        TaxohashError: a generation's folder is damaged.
    """
    done = Backfilled()
    for state in store.generations(collection):
        lacking, name = state.members - state.codes, state.ref.id
        if not state.live or not lacking or only not in (None, name):
            continue
        bring(name, generations)
        if not (generations / name / MANIFEST).is_file():
            announce(f"generation {name} lacks {lacking:,} codes and is not in {generations}: passed over")
            continue
        hasher = Hasher(generations / name)
        with bars() as progress:
            task = progress.add_task(f"codes of {name}", total=lacking, note="")
            done += backfill(
                store,
                collection,
                name,
                sources.read,
                hasher.encode,
                told=announce,
                progress=lambda looked, shown=progress, task=task: shown.update(task, completed=looked),  # type: ignore[misc]
            )
    return done
