"""The step: the hashers of live generations over the pictures of items that lack a code."""

import math
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.shared.generations import bring
from services import settings
from services.codestore import CodeStore, FencedError, GenerationRef, GenerationState, StoreUnavailableError
from services.codestore.backfill import Backfilled, Pace, Patience, TakenError, Turn, backfill, runner_name
from services.codestore.hashers import Hashers, kept_in
from services.codestore.pictures.sources import PictureSources
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.runtime.progress import announce, bars

PASSES = 5  # what comes faster is left to a backfill that goes on while the publish waits
_AGAIN_SECONDS = 1.0  # until a generation that another runner encodes is asked for again


@dataclass(frozen=True)
class _Rest:
    """Why a generation is left alone: a pass over what it was then could bring no more.

    Attributes:
        mark: what the collection told of it before that pass.
        until: time from which it is tried again though nothing has changed.
    """

    mark: object
    until: float


class Encoder:
    """Encodes what the generations of a collection lack, pass after pass: hashers stay loaded, and what cannot be helped is left.

    Args:
        open_hasher: the hasher of a generation; raises TaxohashError where it is not to be had.
        rate: pictures a second, as fast as it goes if left out.
    """

    def __init__(
        self,
        store: CodeStore,
        collection: str,
        open_hasher: Callable[[GenerationRef], Hasher],
        sources: PictureSources,
        *,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.runner = runner_name()
        self._store, self._collection = store, collection
        self._open_hasher, self._sources = open_hasher, sources
        self._clock, self._sleep = clock, sleep
        self._pace = Pace(rate, clock, sleep)
        self._hashers: dict[str, Hasher] = {}
        self._rests: dict[str, _Rest] = {}
        self._patience: defaultdict[str, Patience] = defaultdict(lambda: Patience(clock))
        self._said: dict[str, str] = {}  # of each generation what was said last of why it waits

    def step(self, only: str | None = None, *, wait: bool = True, seconds: float = math.inf) -> Backfilled:
        """One pass over all sealed live generations, the published one first, or over one; progress is shown.

        Args:
            seconds: for each generation, so that none waits for the whole of another.
            wait: for another runner that encodes a generation now; else that is passed over.

        Raises:
            StoreUnavailableError: a store does not answer as it should.
            TaxohashError: the hasher of `only` cannot be had; of others it is said, and they are passed over.
        """
        state = self._store.state(self._collection)
        live = [known for known in state.generations if known.live and known.state != "building"]
        live.sort(key=lambda known: (known.state != "published", -known.created))
        for name in self._hashers.keys() - {known.ref.id for known in live}:
            del self._hashers[name]
            self._patience.pop(name, None)
        done = Backfilled()
        for known in live:
            wanted = known.members > known.codes and only in (None, known.ref.id)
            mark = (state.positions, known)
            hasher = self._hasher(known.ref, only) if wanted and not self._rests_at(known, mark) else None
            if hasher is not None:
                found = self._encode(known, hasher, wait, seconds)
                self._note(known.ref.id, mark, found)
                done += found or Backfilled()
        return done

    def _encode(
        self, known: GenerationState, hasher: Hasher, wait: bool, seconds: float
    ) -> Backfilled | None:
        """What one pass came to; None where another runner has the generation."""
        name = known.ref.id
        while True:
            try:
                with Turn(self._store, self._collection, name, self.runner) as turn:
                    self._said.pop(name, None)
                    return self._pass(known, hasher, turn, seconds)
            except (TakenError, FencedError) as error:
                self._say(name, f"waiting: {error}")
            if not wait:
                return None
            self._sleep(_AGAIN_SECONDS)

    def _pass(self, known: GenerationState, hasher: Hasher, turn: Turn, seconds: float) -> Backfilled:
        with bars() as progress:
            lacking = known.members - known.codes - known.quarantined
            task = progress.add_task(f"codes of {known.ref.id}", total=lacking, note="")
            return backfill(
                self._store,
                self._collection,
                known.ref.id,
                self._sources.read,
                hasher.encode,
                turn,
                self._pace,
                patience=self._patience[known.ref.id],
                seconds=seconds,
                told=announce,
                progress=lambda looked: progress.update(task, completed=looked),
            )

    def _hasher(self, ref: GenerationRef, only: str | None) -> Hasher | None:
        try:
            if ref.id not in self._hashers:
                self._hashers[ref.id] = self._open_hasher(ref)
        except StoreUnavailableError:
            raise
        except TaxohashError as error:
            if only is not None:
                raise
            self._say(ref.id, f"generation {ref.id} is passed over: {error}")
            return None
        return self._hashers[ref.id]

    def _say(self, name: str, text: str) -> None:
        """Once, however often it is found again."""
        if self._said.get(name) != text:
            self._said[name] = text
            announce(text)

    def _rests_at(self, known: GenerationState, mark: object) -> bool:
        rest = self._rests.get(known.ref.id)
        return rest is not None and rest.mark == mark and self._clock() < rest.until

    def _note(self, name: str, mark: object, found: Backfilled | None) -> None:
        """Let a generation rest where a pass has brought nothing: for good, or for a while where a place did not answer."""
        self._rests.pop(name, None)
        if found is not None and found.total == found.unanswered:
            self._rests[name] = _Rest(mark, self._patience[name].next())


def encode_generation(
    store: CodeStore, collection: str, generation_id: str, generations: Path, sources: PictureSources
) -> Backfilled:
    """What a pipeline does between sealing and publishing: encode what a generation lacks, and what comes meanwhile.

    Pictures in quarantine are tried again, as its sources may be others than those of who put them there; where another runner has the
    generation, it is waited for.

    Args:
        generations: folder in which the generation lies under its id, or is brought to from where services find theirs.

    Raises:
        StoreUnavailableError, TaxohashError: see `Encoder.step`.
    """
    store.retry_quarantined(collection, generation_id)
    encoder, done = Encoder(store, collection, in_folder(generations), sources), Backfilled()
    for _ in range(PASSES):
        found = encoder.step(generation_id)
        done += found
        if not found.coded and not found.overtaken:
            break
    return done


def in_folder(generations: Path) -> Callable[[GenerationRef], Hasher]:
    """Opens hashers in a pipeline's own folder of generations, to which those are brought that services find elsewhere."""

    def opened(ref: GenerationRef) -> Hasher:
        bring(ref.id, generations)
        return Hashers(None, str(generations), kept_in(settings.CACHE.of())).open(ref)

    return opened
