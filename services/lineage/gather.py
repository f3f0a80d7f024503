"""Put together what is known of a generation: its origin, the store's state and audit, and its manifest where that is at hand."""

from collections.abc import Callable

from services.codestore import CodeStore
from services.codestore.generation_files import GenerationFiles
from services.codestore.generations import AuditEntry, CollectionState
from services.codestore.keys import check_name
from services.lineage.origin import Made, origin_of
from services.lineage.record import Lineage
from taxohash.errors import TaxohashError

AUDITED = 10_000  # entries, which is what a store keeps
_MOVES = ("publish", "rollback")

Manifests = Callable[[str], Made | None]


class UnknownGenerationError(TaxohashError):
    """Nobody has ever heard of a generation of this id."""


def manifests_in(files: GenerationFiles | None) -> Manifests:
    """What manifests say of generations by their ids, where services find them; None of those that are not there."""

    def made(generation_id: str) -> Made | None:
        return Made.of(files.manifest(generation_id)) if files and files.has(generation_id) else None

    return made


def lineage(store: CodeStore, collection: str, generation_id: str, manifests: Manifests) -> Lineage:
    """The lineage of a generation of a collection.

    Raises:
        as `chain`.
    """
    return chain(store, collection, generation_id, manifests, 1)[0]


def chain(
    store: CodeStore, collection: str, generation_id: str, manifests: Manifests, most: int | None = None
) -> list[Lineage]:
    """The lineage of a generation, of the one that it replaced, and so on to the first of which something is known.

    Args:
        manifests: asked of generations of which no run has noted anything.
        most: only so many; at least one.

    Raises:
        StoreUnavailableError: a store does not answer.
        UnknownGenerationError: there never was such a generation there, as far as anybody has noted.
        TaxohashError: no such collection, or a manifest or an origin is damaged.
    """
    try:
        check_name("generation id", generation_id)
    except TaxohashError as error:
        raise UnknownGenerationError(str(error)) from None
    state, audit = store.state(collection), store.audit(collection, AUDITED)
    found = [_lineage(store, state, audit, generation_id, manifests)]
    seen = {generation_id}
    while (before := found[-1].before) and before not in seen and (most is None or len(found) < most):
        seen.add(before)
        try:
            found.append(_lineage(store, state, audit, before, manifests))
        except UnknownGenerationError:  # its entries have left the audit
            break
    return found


def _lineage(
    store: CodeStore,
    state: CollectionState,
    audit: list[AuditEntry],
    generation_id: str,
    manifests: Manifests,
) -> Lineage:
    known = next((own for own in state.generations if own.ref.id == generation_id), None)
    origin = origin_of(store, state.name, generation_id)
    moves = [entry for entry in reversed(audit) if entry.operation in _MOVES]
    to = tuple(entry for entry in moves if entry.generation == generation_id)
    away = [entry for entry in moves if entry.previous == generation_id]
    removals = [entry for entry in audit if (entry.operation, entry.previous) == ("discard", generation_id)]
    if known is None and origin is None and not to and not away and not removals:
        raise UnknownGenerationError(
            f"generation {generation_id!r} is not known in collection {state.name!r}: see `taxohash store generations`"
        )
    is_published = bool(state.history) and state.history[0] == generation_id
    return Lineage(
        collection=state.name,
        generation=generation_id,
        state=known.state if known else "removed",
        created=known.created if known else None,
        made=origin.made if origin else manifests(generation_id),
        origin=origin,
        moves=to,
        replaced=to[0].previous if to else "",
        replaced_by=away[-1] if away and not is_published else None,
        removed=removals[0] if removals and known is None else None,
    )
