"""What the code store, and the place where services find generations, say of what they need and have."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from pipelines.retention.plan import Kind, KnownCollection, Thing
from services.codestore import CodeStore
from services.codestore.generation_files import GenerationFiles
from services.codestore.generations import CollectionState
from taxohash.errors import TaxohashError

_AUDIT = 10_000  # entries, all that a collection keeps
_LEASE_SECONDS = 3600.0
WHO = "taxohash pipeline prune"
Store = Callable[[], AbstractContextManager[CodeStore]]


def collections(store: CodeStore, heard: bool = True) -> tuple[tuple[KnownCollection, ...], list[Thing]]:
    """What all collections need, and the codes that they hold.

    Args:
        heard: ask their audits, too, for all generations that they ever had.

    Raises:
        StoreUnavailableError: the store does not answer.
        TaxohashError: a collection cannot be read, or this account may not look which there are.
    """
    names = store.collections()
    if names is None:
        raise TaxohashError("this account may not look which collections there are: use the admin's")
    known, things = [], []
    for name in names:
        state = store.state(name)
        known.append(_known(state, frozenset(_heard(store, name) if heard else ())))
        for own in state.generations:
            size = own.codes * ((own.ref.bits + 7) // 8)
            things.append(Thing(Kind.CODES, own.ref.id, name, size, float(own.created)))
    return tuple(known), things


def _known(state: CollectionState, heard: frozenset[str]) -> KnownCollection:
    return KnownCollection(
        name=state.name,
        history=state.history,
        leased=frozenset(generation for generation, _ in state.leases),
        states={own.ref.id: (own.state, float(own.created)) for own in state.generations},
        heard=heard,
    )


def _heard(store: CodeStore, collection: str) -> set[str]:
    return {
        generation
        for entry in store.audit(collection, _AUDIT)
        if entry.operation in ("publish", "rollback", "discard")
        for generation in (entry.previous, entry.generation)
        if generation
    }


def discard(store: CodeStore, thing: Thing) -> None:
    """Remove a generation's codes from a collection; from now on nobody can publish it.

    Raises:
        TaxohashError: it is published by now.
    """
    store.discard(thing.place, thing.name, who=WHO, why="no longer needed")


def collect(store: CodeStore, collection: str, pinned: frozenset[str], told: Callable[[str], None]) -> None:
    """Remove what only discarded generations had; pinned ones are held meanwhile."""
    known = {state.ref.id for state in store.generations(collection)}
    for generation in pinned & known:
        store.lease(collection, generation, "prune", _LEASE_SECONDS)
    try:
        store.gc(collection, who=WHO, told=told)
    finally:
        for generation in pinned & known:
            store.release(collection, generation, "prune")


def served(home: Path) -> GenerationFiles | None:
    """Where services find generations, unless that is the runs' own folder of them.

    Raises:
        TaxohashError: it is no such place.
    """
    files = GenerationFiles.named()
    if files and files.folder and files.folder.resolve() == home.resolve():
        return None
    return files
