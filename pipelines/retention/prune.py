"""What is planned is looked up, and done: each thing only where it is still not needed when its turn comes."""

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.retention.home import ASIDE, Home, half_put, listed
from pipelines.retention.plan import KEEP, Decision, Found, Kind, Policy, Thing, needed, plan
from pipelines.retention.store import Store, collect, collections, discard, served
from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from taxohash.errors import TaxohashError
from taxohash.runtime.alone import alone, alone_if_free
from taxohash.runtime.progress import announce, bars

_GENERATIONS = (Kind.CODES, Kind.SERVED, Kind.GENERATION, Kind.HALF)


@dataclass(frozen=True)
class Spared:
    """Something that was to go and is still there, and why."""

    thing: Thing
    reason: str


@dataclass
class Pruned:
    """What came of it.

    Attributes:
        plan: as it was found when nothing was removed yet.
        trouble: what could not be asked, a line each: what it may need is kept.
        spared: what was to go and did not.
        removed: what went.
    """

    plan: list[Decision]
    trouble: list[str]
    spared: list[Spared] = field(default_factory=list)
    removed: list[Thing] = field(default_factory=list)


class Pruning:
    """All that is asked, and where."""

    def __init__(
        self,
        home: Path,
        *,
        keep: int = KEEP,
        pinned: frozenset[str] = frozenset(),
        store: Store = code_store,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is asked yet.

        Args:
            keep, pinned: see `Policy`.
            store: connects to the code store.
            clock: Unix time in seconds.

        Raises:
            TaxohashError: there is no such folder; or so many are none.
        """
        if keep < 1:
            raise TaxohashError(f"--keep {keep} would leave no run to look at: give 1 or more")
        self.home = Home(home, clock)
        self._keep, self._pinned, self._store, self._clock = keep, pinned, store, clock

    def planned(self) -> Pruned:
        """What would be kept, and what would go.

        Raises:
            TaxohashError: the home cannot be read.
        """
        found, trouble = self._found()
        return Pruned(plan(found, self._policy()), trouble)

    def applied(self) -> Pruned:
        """Plan, and remove what is not needed. Interrupted, it can be called again; of two at once, one waits.

        Raises:
            TaxohashError: the home cannot be read, or nothing can be written there.
        """
        lock = self.home.folder / ".prune.lock"
        try:
            lock.touch()
        except OSError as error:
            raise TaxohashError(
                f"{lock} cannot be written ({error.strerror}): use an account that may"
            ) from None
        with alone(lock, f"another process clears {self.home.folder}: waiting for it"):
            found, trouble = self._found()
            pruned = Pruned(plan(found, self._policy()), trouble)
            going = [decision.thing for decision in pruned.plan if not decision.kept]
            with bars() as progress:
                task = progress.add_task("bytes removed", total=sum(thing.bytes for thing in going), note="")
                for thing in going:
                    if reason := self._removed(thing, found):
                        pruned.spared.append(Spared(thing, reason))
                    else:
                        pruned.removed.append(thing)
                    progress.update(task, advance=thing.bytes)
            self._collect(pruned)
        return pruned

    # -- what there is ---------------------------------------------------------------------------------

    def _policy(self) -> Policy:
        return Policy(self._clock(), self._keep, self._pinned)

    def _found(self) -> tuple[Found, list[str]]:
        """All that there is, and what could not be asked."""
        things, trouble = self.home.things(), []
        try:
            with self._store() as store:
                known, codes = collections(store)
        except TaxohashError as error:
            silence = f"the code store does not say what it needs ({error})"
            trouble.append(f"{silence}: no generation is removed")
            return Found(tuple(things), tuple(self.home.runs()), None, silence), trouble
        try:
            if files := served(self.home.generations):
                things += listed(files, Kind.SERVED)
                things += half_put(files.folder) if files.folder else ()
        except TaxohashError as error:
            trouble.append(f"{error}; what lies there is left")
        return Found((*codes, *things), tuple(self.home.runs()), known), trouble

    # -- one after the other ---------------------------------------------------------------------------

    def _removed(self, thing: Thing, found: Found) -> str:
        """Remove a thing; why that was not done, or nothing."""
        try:
            if running := self.home.running():
                return f"run {running} has begun meanwhile"
            if thing.kind is Kind.CODES:
                return self._discarded(thing, found)
            if thing.kind in _GENERATIONS:
                return self._files_removed(thing, found)
            if thing.kind is Kind.TRAINING:
                return _training_removed(thing)
            if thing.kind in (Kind.VERSION, Kind.FILE):
                with alone_if_free(Path(thing.place) / ".lock") as free:
                    if not free:
                        return "data are fetched there"
                    _clear(thing.paths)
                    return ""
            _clear(thing.paths)
            return ""
        except (TaxohashError, OSError) as error:
            return str(error)

    def _discarded(self, thing: Thing, found: Found) -> str:
        with self._store() as store:
            known, _ = collections(store, heard=False)
            if not any(own.name == thing.place and thing.name in own.states for own in known):
                return ""
            again = plan(replace(found, things=(thing,), collections=known), self._policy())
            if reason := _why(again):
                return reason
            discard(store, thing)
        return ""

    def _files_removed(self, thing: Thing, found: Found) -> str:
        if thing.kind is not Kind.HALF:
            with self._store() as store:
                known, _ = collections(store, heard=False)
            if reasons := needed(replace(found, collections=known), self._policy())[thing.name]:
                return reasons[0]
            if holder := next((own.name for own in known if thing.name in own.states), None):
                return f"its codes are in {holder!r}"
        GenerationFiles.open(thing.place).remove(thing.name)
        return ""

    def _collect(self, pruned: Pruned) -> None:
        for name in dict.fromkeys(thing.place for thing in pruned.removed if thing.kind is Kind.CODES):
            try:
                with self._store() as store:
                    collect(store, name, self._pinned, announce)
            except TaxohashError as error:
                pruned.trouble.append(f"items of {name!r} that are in no generation are left: {error}")


def _why(decisions: Iterable[Decision]) -> str:
    return next((decision.reasons[0] for decision in decisions if decision.kept), "")


def _training_removed(thing: Thing) -> str:
    (folder,) = thing.paths
    lock = folder.with_name(f".{folder.name}.lock")
    with alone_if_free(lock) as free:
        if not free:
            return "a process trains it"
        _clear(thing.paths)
        lock.unlink(missing_ok=True)
    return ""


def _clear(paths: Iterable[Path]) -> None:
    """Remove files and folders; what has lost its name before it is gone is found by its new one."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            aside = path if path.name.startswith(ASIDE) else path.with_name(f"{ASIDE}{path.name}")
            if aside != path:
                if aside.exists():
                    shutil.rmtree(aside)
                path.rename(aside)
            shutil.rmtree(aside)
        else:
            path.unlink(missing_ok=True)
