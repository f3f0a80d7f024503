"""What is planned is removed, and only that."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.retention import prune as module
from pipelines.retention.plan import Kind, Thing
from pipelines.retention.prune import Pruned, Pruning
from pipelines.retention.store import collections as known_collections
from pipelines.runners.process import note_process
from pipelines.shared.record import OUTCOME, Record
from services.codestore import CodeStore
from services.codestore.connection import StoreUnavailableError
from services.codestore.places import Place
from services.runs import Verdict
from taxohash.errors import TaxohashError
from taxohash.runtime.alone import alone
from tests.support.generations import TAXONOMY, make_generation
from tests.support.nights import COLLECTION, DAY, Nights, nights, size, verdicts

PUBLISHED, REFUSED, AWAITING, FAILED, INTERRUPTED = (
    Verdict.PUBLISHED,
    Verdict.REFUSED,
    Verdict.AWAITING,
    Verdict.FAILED,
    Verdict.INTERRUPTED,
)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Nights]:
    with nights(monkeypatch, tmp_path) as made:
        yield made


def there(home: Nights) -> set[str]:
    """Generations where services find them."""
    return {found.id for found in home.files.all() if found.whole}


def at_hand(home: Nights) -> set[str]:
    return {path.name for path in (home.home / "generations").iterdir() if not path.name.startswith(".")}


def reasons(pruned: Pruned, kind: Kind) -> dict[str, tuple[str, ...]]:
    return {own.thing.name: own.reasons for own in pruned.plan if own.thing.kind is kind}


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# -- a year ---------------------------------------------------------------------------------------------


def run_nights(home: Nights, count: int) -> list[int]:
    """So many nights, each with a prune after it; bytes at the end of each month, but for the facts of runs.

    After each night all that is needed is there: what is published, where a roll-back goes, what awaits a word, what is leased, with
    the report of the run that made what is served.
    """
    verdict, sizes, awaiting, leased = verdicts(1), [], "", ""
    for number in range(count):
        pipeline = "reindex" if number % 5 == 4 and home.moves else "retrain"
        if number % 11 == 10:
            run = home.night(PUBLISHED, same=True)
        else:
            run = home.night(verdict() if number else PUBLISHED, pipeline=pipeline)
        if awaiting and home.number % 2 and home.made[awaiting] in known(home):
            home.approve(awaiting)
        awaiting = run if home.verdicts[run] is AWAITING and run in home.made else ""
        if number % 40 == 20:
            leased = home.store.history(COLLECTION)[0]
        if leased:
            home.store.lease(COLLECTION, leased, "pinned-pod", 1.5 * DAY)
        if number % 40 == 39:
            leased = ""
        before = {*home.store.history(COLLECTION)[:2], *filter(None, [leased])}
        pruned = home.prune()
        assert not pruned.trouble
        assert not pruned.spared
        assert before == {*home.store.history(COLLECTION)[:2], *filter(None, [leased])}
        needed = before | ({home.made[awaiting]} if awaiting else set())
        assert needed <= there(home)
        assert needed <= at_hand(home)
        for generation in needed:
            home.files.require(generation)
        check_lineage(home)
        if number % 30 == 29:
            sizes.append(size(home.home, home.home.parent / "served") - facts(home))
    return sizes


def known(home: Nights) -> set[str]:
    return {state.ref.id for state in home.store.generations(COLLECTION)}


def check_lineage(home: Nights) -> None:
    """The report, the log and the data version of the run that made what is served are there."""
    current = home.store.history(COLLECTION)[0]
    run = [run for run, generation in home.made.items() if generation == current][-1]
    record = Record(home.home, run)
    assert Path(record.noted("judgement")["report"]).is_file()
    assert (record.folder / "log.txt").is_file()
    version = home.home / "versions" / record.noted("data")["md5"].removesuffix(".dir")
    assert sorted(path.name for path in version.iterdir()) == ["taxonomy.json", "train.parquet"]


def facts(home: Nights) -> int:
    """Bytes of what is kept of all runs for ever."""
    return sum(path.stat().st_size for path in (home.home / "records").glob("*/*.json"))


def check_history(home: Nights) -> None:
    """Every run tells what came of it, and the audit of every publish, as they were planned."""
    told = {
        folder.name: Record(home.home, folder.name).noted(OUTCOME).get("verdict", "interrupted")
        for folder in (home.home / "records").iterdir()
    }
    assert told == {run: verdict.value for run, verdict in home.verdicts.items()}
    for run, generation in home.made.items():
        assert Record(home.home, run).noted("generation")["id"] == generation
    moves = [entry for entry in home.store.audit(COLLECTION, 10_000) if entry.operation == "publish"]
    assert [entry.generation for entry in reversed(moves)] == home.moves


def test_some_nights_leave_what_is_needed_and_the_history(home: Nights) -> None:
    (after,) = run_nights(home, 30)
    check_history(home)
    assert len(at_hand(home)) < 20
    assert not list((home.home / "generations").glob(".draft-*"))
    assert facts(home) < 30 * 4_000
    assert after < 4_000_000


@pytest.mark.slow
def test_a_year_of_nights_keeps_the_disk_flat(home: Nights) -> None:
    sizes = run_nights(home, 365)
    check_history(home)
    print(sizes, facts(home))
    first, last = sum(sizes[1:4]), sum(sizes[-3:])
    assert last < 1.5 * first
    assert max(sizes[1:]) < 2 * min(sizes[1:])
    assert facts(home) < 365 * 4_000


# -- plan and removal -----------------------------------------------------------------------------------


def test_without_apply_nothing_is_touched_and_with_it_just_what_was_planned(home: Nights) -> None:
    for verdict in (PUBLISHED, REFUSED, INTERRUPTED, PUBLISHED, AWAITING, FAILED, PUBLISHED, PUBLISHED):
        home.night(verdict)
    home.clock.now += 8 * DAY
    before = everything(home.home)
    planned = home.pruning(keep=1).planned()
    assert everything(home.home) == before
    done = home.prune(keep=1)
    assert done.plan == planned.plan
    assert done.removed == [own.thing for own in planned.plan if not own.kept] != []
    again = home.pruning(keep=1).planned()
    assert [own.thing for own in again.plan if not own.kept] == []
    first, second = home.store.history(COLLECTION)[:2]
    (awaiting,) = [home.made[run] for run, verdict in home.verdicts.items() if verdict is AWAITING]
    assert there(home) == at_hand(home) == {first, second, awaiting}  # the last that was sealed
    told = reasons(again, Kind.SERVED)
    assert told[first][0] == f"published in '{COLLECTION}'"
    assert told[second] == (f"where a roll-back of '{COLLECTION}' goes",)


def test_kinds_of_what_is_left_behind_all_go(home: Nights) -> None:
    for verdict in (PUBLISHED, INTERRUPTED, PUBLISHED, FAILED, PUBLISHED, PUBLISHED):
        home.night(verdict)
    home.clock.now += 40 * DAY
    (home.home / "events").mkdir()
    (home.home / "events" / "taxohash-retrain-x7.jsonl").write_text("")
    os.utime(home.home / "events" / "taxohash-retrain-x7.jsonl", (1, 1))
    scratch = home.home.parent / f"taxohash-steps-{2**22 - 1}-abc"  # of a process that is no more
    scratch.mkdir()
    os.utime(scratch, (1, 1))
    newest = home.home.parent / "served" / home.store.history(COLLECTION)[0]
    cut_short, foreign = newest / ".hasher.onnx.ab12_xyz.onnx", newest / ".DS_Store"
    for path in (cut_short, foreign):
        path.write_text("half")
        os.utime(path, (1, 1))
    removed = {thing.kind for thing in home.prune(keep=1).removed}
    assert (cut_short.exists(), foreign.exists()) == (False, True)
    assert removed == {*Kind} - {Kind.HALF}
    assert not scratch.exists()
    assert {path.name for path in (home.home / "runs").iterdir() if path.name.startswith(".")} == {
        f".{path.name}.lock" for path in (home.home / "runs").iterdir() if not path.name.startswith(".")
    }


def test_while_a_run_goes_on_nothing_is_removed(home: Nights) -> None:
    for _ in range(4):
        home.night(PUBLISHED)
    goes_on = Record(home.home, home.night(INTERRUPTED))
    note_process(goes_on)
    before = everything(home.home)
    done = home.prune(keep=1)
    assert (done.removed, done.spared) == ([], [])
    assert {own.reasons for own in done.plan} == {(f"run {goes_on.folder.name} goes on",)}
    assert [name for name in everything(home.home) if name != ".prune.lock"] == before


def test_one_that_has_ended_does_not_go_on_in_a_process_that_does(home: Nights) -> None:
    note_process(Record(home.home, home.night(PUBLISHED)))
    assert home.pruning().home.running() == ""


def test_one_in_a_cluster_goes_on_until_it_told_nothing_for_a_week(home: Nights) -> None:
    record = Record(home.home, "in-a-pod")
    record.note("begun", pipeline="retrain", collection=COLLECTION, time=home.clock.now)
    home.clock.now = record.folder.joinpath("begun.json").stat().st_mtime + 6 * DAY
    assert home.pruning().home.running() == "in-a-pod"
    home.clock.now += 2 * DAY
    assert home.pruning().home.running() == ""


def test_a_run_that_begins_meanwhile_finds_what_is_left(
    home: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    real, cleared = module._clear, []

    def clear(paths: tuple[Path, ...]) -> None:
        real(paths)
        cleared.append(paths)
        note_process(Record(home.home, "begun-now"))
        Record(home.home, "begun-now").note("begun", time=home.clock.now)

    monkeypatch.setattr(module, "_clear", clear)
    done = home.prune(keep=1)
    assert len(cleared) == 1
    assert {spared.reason for spared in done.spared} == {"run begun-now has begun meanwhile"}


def test_what_is_approved_meanwhile_is_spared(home: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    home.night(PUBLISHED)
    awaiting = home.made[home.night(AWAITING)]
    home.night(AWAITING)
    for _ in range(2):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    assert any(own.thing.name == awaiting and not own.kept for own in home.pruning(keep=1).planned().plan)
    real, asked = known_collections, list[CodeStore]()

    def collections(store: CodeStore, heard: bool = True) -> object:
        if asked:  # after the plan was made
            store.publish(COLLECTION, awaiting, who="a person")
        asked.append(store)
        return real(store, heard)

    monkeypatch.setattr(module, "collections", collections)
    done = home.prune(keep=1)
    assert awaiting not in {thing.name for thing in done.removed}
    assert {s.reason for s in done.spared if s.thing.name == awaiting} == {f"published in '{COLLECTION}'"}
    assert home.store.history(COLLECTION)[0] == awaiting
    home.files.require(awaiting)


def test_one_that_the_store_refuses_to_discard_keeps_its_files(
    home: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        home.night(PUBLISHED)
    abandoned = home.made[home.night(FAILED)]
    home.night(PUBLISHED)
    home.clock.now += 8 * DAY

    def refused(store: CodeStore, thing: Thing) -> None:
        raise TaxohashError("no")

    monkeypatch.setattr(module, "discard", refused)
    done = home.prune(keep=1)
    assert {
        (spared.thing.kind, spared.reason) for spared in done.spared if spared.thing.name == abandoned
    } == {
        (Kind.CODES, "no"),
        (Kind.SERVED, f"its codes are in '{COLLECTION}'"),
        (Kind.GENERATION, f"its codes are in '{COLLECTION}'"),
    }
    home.files.require(abandoned)


def test_what_any_collection_needs_is_kept(home: Nights) -> None:
    home.store.create("other", TAXONOMY, 2)
    home.collection = "other"
    others = home.made[home.night(PUBLISHED)]
    home.collection = COLLECTION
    for _ in range(4):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    done = home.prune(keep=1)
    assert reasons(done, Kind.SERVED)[others] == ("published in 'other'", "one of the last 1 of 'other'")
    assert {others, *home.store.history(COLLECTION)[:2]} == there(home)


def test_a_store_that_does_not_answer_keeps_all_generations_and_their_runs(home: Nights) -> None:
    runs = [home.night(verdict) for verdict in (PUBLISHED, REFUSED, PUBLISHED, PUBLISHED, PUBLISHED)]
    home.clock.now += 8 * DAY
    generations = there(home)

    @contextmanager
    def away() -> Iterator[CodeStore]:
        if home.store:
            raise StoreUnavailableError("nobody there")
        yield home.store

    done = Pruning(home.home, store=away, clock=home.clock, keep=1).applied()
    (line,) = done.trouble
    assert line == "the code store does not say what it needs (nobody there): no generation is removed"
    assert there(home) == at_hand(home) == generations
    logs = {run for run in runs if (home.home / "records" / run / "log.txt").exists()}
    assert logs == {run for run in runs if home.verdicts[run] is PUBLISHED}  # that of the refused one is gone


def test_an_account_that_may_not_list_collections_removes_no_generation(
    home: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    monkeypatch.setattr(type(home.store), "collections", lambda _self: None)
    done = home.prune(keep=1)
    assert "use the admin's" in done.trouble[0]
    assert len(there(home)) == 4


def test_a_place_of_generations_that_is_away_is_told_and_left(
    home: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY

    def away(_home: Path) -> None:
        raise StoreUnavailableError("generations s3://b cannot be used (no answer in time): start its server")

    monkeypatch.setattr(module, "served", away)
    done = home.prune(keep=1)
    assert done.trouble == [
        "generations s3://b cannot be used (no answer in time): start its server; what lies there is left"
    ]
    assert len(there(home)) == 4
    assert len(at_hand(home)) == 2


def test_generations_of_others_in_the_place_are_left_alone(home: Nights, tmp_path: Path) -> None:
    for _ in range(4):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    foreign = make_generation(tmp_path / "foreign", seed=999)
    home.files.put(tmp_path / "foreign")
    os.utime(home.home.parent / "served" / foreign.id / "generation.json", (1, 1))
    done = home.prune(keep=1)
    assert reasons(done, Kind.SERVED)[foreign.id] == ("not known here",)
    home.files.require(foreign.id)


def test_pinned_ones_are_kept_with_their_codes(home: Nights) -> None:
    pinned = home.made[home.night(AWAITING)]
    home.night(AWAITING)
    for _ in range(4):
        home.night(PUBLISHED)
    abandoned = home.made[home.night(FAILED)]
    home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    done = home.prune(keep=1, pinned=frozenset({pinned}))
    assert reasons(done, Kind.CODES)[pinned] == ("pinned",)
    assert pinned in known(home)
    assert abandoned not in known(home)
    assert pinned in there(home)
    assert home.store.leases(COLLECTION) == {}


def test_one_that_is_pinned_and_was_published_outlives_the_collection(
    home: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as uncollected:
        uncollected.setattr(home.store, "gc", lambda *_, **__: None)
        pinned, retired, *_ = (home.made[home.night(PUBLISHED)] for _ in range(5))
    home.clock.now += 8 * DAY
    home.prune(keep=1, pinned=frozenset({pinned}))
    assert pinned in known(home)
    assert retired not in known(home)
    assert home.store.leases(COLLECTION) == {}


def test_items_that_only_an_abandoned_generation_had_go_with_it(home: Nights) -> None:
    home.number = 20
    home.night(FAILED)
    home.number = 0
    for _ in range(2):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    members = {f"item {number}" for number in range(1, 10)}
    assert home.store.count(COLLECTION) == len(members | {f"item {number}" for number in range(21, 29)})
    home.prune(keep=1)
    assert home.store.count(COLLECTION) == len(members)


# -- what is not ours, and what goes wrong ----------------------------------------------------------------


def test_links_and_files_of_others_are_left_alone(home: Nights, tmp_path: Path) -> None:
    for _ in range(3):
        home.night(PUBLISHED)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    gone = home.made[min(home.made)]
    left = []
    for folder, name in [
        ("runs", "treecode-48-0123456789ab"),
        ("pipeline", "taxohash-retrain-2026-11-27-09-03-40-670322"),
        ("versions", "0" * 32),
        ("generations", "0" * 16),
        ("generations", ".draft-link"),
    ]:
        (home.home / folder / name).symlink_to(elsewhere)
        os.utime(home.home / folder / name, (1, 1), follow_symlinks=False)
        left.append(home.home / folder / name)
    for name in ("runs/mine", "pipeline/mine", "generations/mine", "versions/mine", "mine"):
        (home.home / name).mkdir()
        left.append(home.home / name)
    for name in ("cache/mine.json", "records/mine", "runs/.mine.lock", f"generations/{gone}/notes.txt"):
        (home.home / name).write_text("mine")
        left.append(home.home / name)
    inside = next(path for path in (home.home / "runs").iterdir() if path.is_dir() and not path.is_symlink())
    (inside / "link").symlink_to(elsewhere)
    home.clock.now += 60 * DAY
    assert home.prune(keep=1).removed
    assert all(path.is_symlink() or path.exists() for path in left)
    assert (elsewhere / "precious").read_text() == "x"
    assert os.listdir(home.home / "generations" / gone) == ["notes.txt"]


def test_a_folder_that_is_a_link_is_not_followed(home: Nights, tmp_path: Path) -> None:
    for _ in range(4):
        home.night(PUBLISHED)
    for name in ("runs", "pipeline", "versions", "cache", "generations"):
        (home.home / name).rename(tmp_path / name)
        (home.home / name).symlink_to(tmp_path / name)
    home.clock.now += 60 * DAY
    assert {thing.kind for thing in home.prune(keep=1).removed} <= {Kind.CODES, Kind.SERVED, Kind.LOG}


def test_interrupted_anywhere_it_is_finished_by_the_next(
    home: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at each removal of a file in turn; nothing that is there is ever half there."""
    for verdict in (PUBLISHED, PUBLISHED, FAILED, PUBLISHED, PUBLISHED):
        home.night(verdict)
    home.clock.now += 8 * DAY
    real, count = os.unlink, 0

    def unlink(*given: object, **named: object) -> None:
        nonlocal count
        count += 1
        if count % 5 == 0:
            raise KeyboardInterrupt
        real(*given, **named)  # type: ignore[arg-type]

    interrupted = 0
    for name in ("unlink", "remove"):
        monkeypatch.setattr(os, name, unlink)
    for _ in range(100):
        try:
            done = home.prune(keep=1)
            break
        except KeyboardInterrupt:
            interrupted += 1
            for generation in there(home):
                home.files.require(generation)
    assert interrupted > 5
    assert not done.trouble
    monkeypatch.undo()
    assert not list(home.home.rglob(".removed-*"))
    assert there(home) == at_hand(home) == {*home.store.history(COLLECTION)[:2]}


def test_what_is_half_removed_goes_even_if_it_is_new(home: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    half, _, _ = (home.made[home.night(PUBLISHED)] for _ in range(3))

    def interrupted(_place: Place, _name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Place, "remove", interrupted)
        with pytest.raises(KeyboardInterrupt):
            home.files.remove(half)
    assert [(thing.kind, thing.name) for thing in home.prune().removed] == [(Kind.HALF, half)]
    assert not (home.home.parent / "served" / half).exists()


def test_of_two_at_once_one_waits_and_finds_nothing_to_do(home: Nights) -> None:
    for _ in range(4):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    done: list[Pruned] = []
    thread = threading.Thread(target=lambda: done.append(home.prune(keep=1)))
    with alone(home.home / ".prune.lock", "nobody"):
        thread.start()
        thread.join(0.2)
        assert done == []
    thread.join()
    assert done[0].removed
    assert home.prune(keep=1).removed == []


def test_a_training_under_way_is_spared(home: Nights) -> None:
    for _ in range(3):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    going = [
        own.thing
        for own in home.pruning(keep=1).planned().plan
        if own.thing.kind is Kind.TRAINING and not own.kept
    ]
    (folder,) = going[0].paths
    lock = folder.with_name(f".{folder.name}.lock")
    with alone(lock, "nobody"):
        held = home.prune(keep=1)
        assert reasons(held, Kind.TRAINING)[folder.name] == ("used within a day",)
        os.utime(lock, (1, 1))  # it goes on for longer
        done = home.prune(keep=1)
    assert [(s.thing.name, s.reason) for s in done.spared] == [(folder.name, "a process trains it")]
    assert folder.is_dir()


def test_data_that_are_fetched_are_waited_for_by_the_next(home: Nights) -> None:
    for _ in range(8):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    with alone(home.home / "versions" / ".lock", "nobody"):
        done = home.prune(keep=1)
    assert {s.thing.kind for s in done.spared} == {Kind.VERSION, Kind.FILE}
    assert {s.reason for s in done.spared} == {"data are fetched there"}


def test_a_file_that_cannot_be_removed_is_told_and_the_rest_goes(
    home: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        home.night(PUBLISHED)
    home.clock.now += 8 * DAY
    real = module._clear

    def clear(paths: tuple[Path, ...]) -> None:
        if paths[0].parent.name == "runs":
            raise PermissionError(13, "Permission denied", str(paths[0]))
        real(paths)

    monkeypatch.setattr(module, "_clear", clear)
    done = home.prune(keep=1)
    assert {spared.thing.kind for spared in done.spared} == {Kind.TRAINING}
    assert "Permission denied" in done.spared[0].reason
    assert Kind.OUTPUT in {thing.kind for thing in done.removed}


def test_damaged_records_and_folders_that_are_none_are_one_line(home: Nights, tmp_path: Path) -> None:
    run = home.night(PUBLISHED)
    (home.home / "records" / run / "generation.json").write_text("[1]")
    with pytest.raises(TaxohashError, match=r"generation.json holds no facts of a run: put it right"):
        home.prune()
    with pytest.raises(TaxohashError, match=r"there is no folder .*/none: give the --home of runs"):
        Pruning(tmp_path / "none")
    with pytest.raises(TaxohashError, match=r"--keep 0 would leave no run to look at: give 1 or more"):
        home.prune(keep=0)
