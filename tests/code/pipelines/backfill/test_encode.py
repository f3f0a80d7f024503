"""The step: hashers of live generations, pictures wherever they are, pass after pass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.backfill import encode
from pipelines.backfill.encode import Encoder, encode_generation, in_folder
from services.codestore import CodeStore, GenerationRef, Item, StoreUnavailableError
from services.codestore.backfill import Backfilled, Turn
from services.codestore.pictures.sources import PictureSources
from services.codestore.quarantine import Lack
from services.codestore.turns import Trying
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.backfills import CODED, COLLECTION, PICTURES, ref_of


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(encode, "announce", found.append)
    return found


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self, asleep: Callable[[], None] = lambda: None) -> None:
        self.now, self.slept, self._asleep = 0.0, list[float](), asleep

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        self._asleep()


class Sources(PictureSources):
    """Counts what is read; places that are in `away` do not answer."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.read_ids: list[str] = []
        self.away: set[str] = set()

    def read(self, item: Any) -> bytes:
        self.read_ids.append(item.id)
        if item.id in self.away:
            raise StoreUnavailableError("no answer")
        return super().read(item)


@pytest.fixture
def sources(store: CodeStore) -> Sources:
    found = Sources.from_environment()
    assert isinstance(found, Sources)
    return found


@pytest.fixture
def encoder(store: CodeStore, sources: Sources, tmp_path: Path) -> Encoder:
    clock = Clock()
    opened = in_folder(tmp_path / "generations")
    return Encoder(store, COLLECTION, opened, sources, clock=clock, sleep=clock.sleep)


def test_each_live_generation_gets_codes_of_its_own_hasher(
    store: CodeStore, encoder: Encoder, hashers: list[Hasher], told: list[str]
) -> None:
    assert encoder.step() == Backfilled(coded=6, quarantined=2)
    for hasher in hashers:
        found = store.snapshot(COLLECTION, hasher.generation.id)
        wanted = hasher.encode(decode(picture) for picture in PICTURES[:3])
        rows = [found.ids.tolist().index(name) for name in CODED]
        assert sorted(found.ids) == sorted(CODED)
        assert np.array_equal(found.codes[rows], wanted)
        assert store.lack(COLLECTION, hasher.generation.id) == Lack(quarantined=1, without_picture=1)
    assert sum("item 'bad' is put into quarantine" in line for line in told) == 2
    assert encoder.step() == Backfilled()


def test_the_step_of_a_pipeline_is_for_one_generation_and_tries_again_what_another_found_bad(
    store: CodeStore, sources: Sources, encoder: Encoder, hashers: list[Hasher], tmp_path: Path
) -> None:
    first, second = (hasher.generation.id for hasher in hashers)

    def step() -> Backfilled:
        return encode_generation(store, COLLECTION, second, tmp_path / "generations", sources)

    (tmp_path / "a.png").rename(tmp_path / "b.png")
    encoder.step(second)
    (tmp_path / "b.png").rename(tmp_path / "a.png")
    assert store.lack(COLLECTION, second) == Lack(quarantined=2, without_picture=1)
    assert step() == Backfilled(coded=1, quarantined=1)
    assert (store.count(COLLECTION, first), store.count(COLLECTION, second)) == (0, 3)
    store.publish(COLLECTION, second)  # what is in quarantine is not waited for


def test_what_comes_while_the_step_runs_is_encoded_too(
    store: CodeStore, sources: Sources, hashers: list[Hasher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation, came = hashers[0].generation.id, list[int]()
    put_codes = store.put_codes

    def putting(*arguments: Any, **options: Any) -> Any:
        if len(came) < 2:
            came.append(len(came))
            store.upsert(COLLECTION, [Item(f"came {len(came)}", uri=f"file://{tmp_path}/a.png")])
        return put_codes(*arguments, **options)

    monkeypatch.setattr(store, "put_codes", putting)
    encode_generation(store, COLLECTION, generation, tmp_path / "generations", sources)
    assert {"came 1", "came 2"} <= set(store.snapshot(COLLECTION, generation).ids)


def test_one_that_is_being_built_is_left_to_who_builds_it(
    store: CodeStore, encoder: Encoder, hashers: list[Hasher]
) -> None:
    first = hashers[0].generation.id
    store.discard(COLLECTION, first)
    store.begin(COLLECTION, ref_of(hashers[0]))
    encoder.step()
    assert store.count(COLLECTION, first) == 0
    store.seal(COLLECTION, first)
    assert encoder.step().coded == 3


def test_a_generation_whose_hasher_is_elsewhere_is_said_once_and_found_later(
    store: CodeStore, encoder: Encoder, hashers: list[Hasher], tmp_path: Path, told: list[str]
) -> None:
    away = hashers[0].generation.id
    (tmp_path / "generations" / away).rename(tmp_path / "away")
    for _ in range(3):
        encoder.step()
    assert (
        sum(f"generation {away} is passed over: generation {away} is not in " in line for line in told) == 1
    )
    assert store.count(COLLECTION, hashers[1].generation.id) == 3
    with pytest.raises(TaxohashError, match=f"generation {away} is not in "):
        encoder.step(away)
    (tmp_path / "away").rename(tmp_path / "generations" / away)
    assert encoder.step().coded == 3


def test_what_can_bring_nothing_is_not_looked_at_again_until_something_changes(
    store: CodeStore, encoder: Encoder, hashers: list[Hasher], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    lacking = store.lacking

    def counted(collection: str, generation_id: str) -> object:
        looked.append(generation_id)
        return lacking(collection, generation_id)

    monkeypatch.setattr(store, "lacking", counted)
    encoder.step()
    encoder.step()  # finds nothing more
    looked.clear()
    assert encoder.step() == Backfilled()
    assert looked == []
    store.upsert(COLLECTION, [Item("another", uri="file:///elsewhere")])
    assert encoder.step() == Backfilled(quarantined=2)
    encoder.step()
    looked.clear()
    encoder.step()
    assert looked == []
    store.retry_quarantined(COLLECTION, hashers[0].generation.id)
    assert encoder.step() == Backfilled(quarantined=2)


def test_a_place_that_does_not_answer_is_asked_again_ever_more_seldom(
    encoder: Encoder, sources: Sources, store: CodeStore, hashers: list[Hasher]
) -> None:
    sources.away = {"kept 0"}
    clock = encoder._clock
    assert isinstance(clock, Clock)
    assert encoder.step() == Backfilled(coded=4, quarantined=2, unanswered=2)
    sources.read_ids.clear()
    asked_at: list[float] = []
    for _ in range(400):
        clock.now += 1.0
        if encoder.step().unanswered:
            asked_at.append(clock.now)
    rests = np.diff(asked_at)
    assert (rests[1:] >= rests[:-1]).all()
    assert rests.max() == 60.0
    assert len(asked_at) < 15
    sources.away = set()
    clock.now += 61.0
    assert encoder.step().coded == 2
    assert store.lack(COLLECTION, hashers[0].generation.id).waiting == 0


def test_places_that_do_not_answer_hold_up_nothing_else(
    store: CodeStore, hashers: list[Hasher], tmp_path: Path
) -> None:
    """As many as are encoded at once lie, first of all, where each question takes ten seconds."""
    first = hashers[0].generation.id
    clock = Clock()

    class Slow(Sources):
        def read(self, item: Any) -> bytes:
            if item.id.startswith("away"):
                clock.now += 10.0
                raise StoreUnavailableError("no answer")
            return super().read(item)

    away = [Item(f"away {i}", uri=f"file://{tmp_path}/a.png") for i in range(60)]
    store.upsert(COLLECTION, away)
    store.upsert(COLLECTION, [Item(f"item {i}", uri=f"file://{tmp_path}/a.png") for i in range(300)])
    encoder = Encoder(
        store,
        COLLECTION,
        in_folder(tmp_path / "generations"),
        Slow.from_environment(),
        clock=clock,
        sleep=clock.sleep,
    )
    for _ in range(20):
        encoder.step(wait=False, seconds=5.0)
        clock.now += 1.0
    assert store.count(COLLECTION, first) == 303
    assert store.lack(COLLECTION, first).waiting == 60


def test_what_another_runner_encodes_is_waited_for_or_passed_over(
    store: CodeStore, sources: Sources, hashers: list[Hasher], tmp_path: Path, told: list[str]
) -> None:
    first = hashers[0].generation.id
    turn = Turn(store, COLLECTION, first, "another")
    clock = Clock(lambda: turn.__exit__(None, None, None) if len(clock.slept) == 3 else None)
    encoder = Encoder(
        store, COLLECTION, in_folder(tmp_path / "generations"), sources, clock=clock, sleep=clock.sleep
    )
    turn.__enter__()
    encoder.step(wait=False)
    encoder.step(wait=False)
    assert (store.count(COLLECTION, first), clock.slept) == (0, [])
    assert sum(f"generation {first} is encoded by another" in line for line in told) == 1
    assert encoder.step(first).coded == 3
    assert len(clock.slept) == 3


def test_one_that_was_held_up_goes_on_after_the_other(
    store: CodeStore, sources: Sources, hashers: list[Hasher], told: list[str]
) -> None:
    first = hashers[0].generation.id
    clock, held = Clock(), list[str]()

    class Slow(Hasher):
        def encode(self, images: Any) -> Any:
            if not held:
                held.append(first)
                store.let_go(COLLECTION, first, slow.runner)
                with Turn(store, COLLECTION, first, "another") as turn:
                    some = [item for page in store.lacking(COLLECTION, first) for item in page][:1]
                    codes = super().encode([sources.read(some[0])])
                    store.put_codes(COLLECTION, first, [some[0].id], codes, write=turn.next_write())
            return super().encode(images)

    def opened(ref: GenerationRef) -> Hasher:
        return Slow(hashers[0].folder)

    slow = Encoder(store, COLLECTION, opened, sources, clock=clock, sleep=clock.sleep)
    slow.step(first)
    assert held
    assert any("by another runner since this one was held up" in line for line in told)
    assert store.count(COLLECTION, first) == 3


def test_generations_take_turns_and_the_published_one_is_first(
    store: CodeStore, hashers: list[Hasher], tmp_path: Path
) -> None:
    first, second = (hasher.generation.id for hasher in hashers)
    store.delete(COLLECTION, ["bad", "none", *CODED])
    store.publish(COLLECTION, first)
    items = [Item(f"item {i}", uri=f"file://{tmp_path}/a.png") for i in range(200)]
    store.upsert(COLLECTION, items)
    clock = Clock()

    class Slow(Sources):
        def read(self, item: Any) -> bytes:
            clock.now += 1.0
            return super().read(item)

    sources = Slow.from_environment()
    encoder = Encoder(
        store, COLLECTION, in_folder(tmp_path / "generations"), sources, clock=clock, sleep=clock.sleep
    )
    counts: list[tuple[int, int]] = []
    while not counts or counts[-1] != (200, 200):
        encoder.step(wait=False, seconds=20.0)
        counts.append((store.count(COLLECTION, first), store.count(COLLECTION, second)))
    assert len(counts) > 2
    for before, after in counts[:-1]:
        assert 0 < after <= before <= after + 64
    assert store.trying(COLLECTION, first) == Trying()


def test_hashers_of_generations_that_are_gone_are_not_kept(
    store: CodeStore, encoder: Encoder, hashers: list[Hasher]
) -> None:
    encoder.step()
    assert encoder._hashers.keys() == {hasher.generation.id for hasher in hashers}
    store.discard(COLLECTION, hashers[0].generation.id)
    encoder.step()
    assert encoder._hashers.keys() == {hashers[1].generation.id}
