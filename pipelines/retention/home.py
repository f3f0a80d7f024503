"""What lies in the home of runs, as far as it has the form of what runs write; links and all else are left out."""

import json
import os
import re
import socket
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from pipelines.retention.plan import WEEK, Kind, KnownRun, Thing
from pipelines.runners.kfp_local import SCRATCH
from pipelines.runners.local import EVENTS, LOG, PARAMETERS
from pipelines.runners.process import process_of
from pipelines.shared.record import OUTCOME, Record
from pipelines.shared.versions.remote import files_of, object_name
from pipelines.steps.versions import VERSIONS
from services.codestore.generation_files import GenerationFiles
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import read_json

ASIDE = ".removed-"  # before the name of what is being removed
_RUN_FACTS = "begun"
_TRAINING = re.compile(r"[a-z][a-z0-9_-]*-[0-9]+-[0-9a-f]{12}")
_OUTPUT = re.compile(r"taxohash-[a-z]+(-[0-9]+){7}")
_ANSWER = re.compile(r"[0-9a-f]{64}\.json")
_VERSION = re.compile(r"[0-9a-f]{32}")
_OBJECT = re.compile(r"[0-9a-f]{30}(\.dir)?")
_EVENTS = re.compile(r"[A-Za-z0-9._-]+\.jsonl")
_DRAFT = re.compile(r"\.(draft-.+|kfp_cache_.+\.tmp|.+\.json(l)?\..+)|" + re.escape(ASIDE) + ".+")
_HALF_PUT = re.compile(r"\..+\.[a-z0-9_]{8}\.[a-z]+")  # beside the files of a generation
_SCRATCH = re.compile(SCRATCH + r"([0-9]+)-.+")
_REMEDY = "put it right, or remove the folder that it is in"


class Home:
    """The folder in which runs keep what they make."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Look into it later.

        Args:
            clock: Unix time in seconds.

        Raises:
            TaxohashError: there is no such folder.
        """
        if not folder.is_dir():
            raise TaxohashError(f"there is no folder {folder}: give the --home of runs")
        self.folder = folder.resolve()
        self.generations = self.folder / "generations"
        self._clock = clock

    def runs(self) -> list[KnownRun]:
        """All that have a record.

        Raises:
            TaxohashError: a record cannot be read: what its run needs is not known.
        """
        return [self._run(record) for record in self._records()]

    def running(self) -> str:
        """The name of a run that is under way, or nothing."""
        return next((record.folder.name for record in self._records() if self._goes_on(record)), "")

    def things(self) -> list[Thing]:
        """All that can be kept or removed, but for the codes in the store."""
        claims = _Claims(self, self._records())
        return [
            *self._generations(),
            *self._trainings(claims.trainings),
            *self._outputs(claims.outputs),
            *self._answers(),
            *self._versions(claims.versions),
            *self._logs(),
            *self._events(),
            *self._left(),
        ]

    # -- runs ------------------------------------------------------------------------------------------

    def _records(self) -> list[Record]:
        return [
            Record(self.folder, folder.name)
            for folder in _folders(self.folder / "records", re.compile(r"[^.].*"))
            if (folder / PARAMETERS).is_file() or (folder / f"{_RUN_FACTS}.json").is_file()
        ]

    def _run(self, record: Record) -> KnownRun:
        begun = _noted(record, _RUN_FACTS)
        return KnownRun(
            record.folder.name,
            float(begun.get("time") or _written(record.folder / PARAMETERS)),
            self._goes_on(record),
            str(begun.get("collection", "")),
            str(_noted(record, "generation").get("id", "")),
            str(begun.get("pipeline", "")),
        )

    def _goes_on(self, record: Record) -> bool:
        if (record.folder / f"{OUTCOME}.json").is_file():
            return False
        if process_of(record):
            return True
        host = _noted(record, "process").get("host", socket.gethostname())
        if (record.folder / PARAMETERS).is_file() and host == socket.gethostname():
            return False
        # On another machine, or in a cluster, where nobody looks for its process.
        last = max((_written(path) for path in record.folder.iterdir()), default=0.0)
        return last > self._clock() - WEEK

    # -- what lies where -------------------------------------------------------------------------------

    def _generations(self) -> Iterator[Thing]:
        if _is_own(self.generations):
            yield from listed(GenerationFiles.open(self.generations), Kind.GENERATION)

    def _trainings(self, of: dict[str, set[str]]) -> Iterator[Thing]:
        folder = self.folder / "runs"
        locks = {path.name[1 : -len(".lock")]: path for path in _files(folder, re.compile(r"\.[^.]+\.lock"))}
        found = {path.name: path for path in _folders(folder, _TRAINING)}
        for name in sorted({*found, *(name for name in locks if _TRAINING.fullmatch(name))}):
            used = max(_written(path) for path in (found.get(name), locks.get(name)) if path)
            paths = (folder / name,)
            yield Thing(
                Kind.TRAINING, name, str(folder), _bytes(folder / name), used, frozenset(of[name]), paths
            )

    def _outputs(self, of: dict[str, set[str]]) -> Iterator[Thing]:
        for path in _folders(self.folder / "pipeline", _OUTPUT):
            own = _name_given(path)
            users = frozenset({*of[path.name], *([own] if own else [])})
            yield Thing(
                Kind.OUTPUT, path.name, str(path.parent), _bytes(path), _written(path), users, (path,)
            )

    def _answers(self) -> Iterator[Thing]:
        for path in _files(self.folder / "cache", _ANSWER):
            text = path.read_text(encoding="utf-8", errors="replace")
            named = frozenset(re.findall(re.escape(f"{self.folder / 'pipeline'}/") + r"([^/\"]+)", text))
            yield Thing(Kind.CACHE, path.name, str(path.parent), _bytes(path), _written(path), named, (path,))

    def _versions(self, of: dict[str, set[str]]) -> Iterator[Thing]:
        home = self.folder / VERSIONS
        objects = [
            path
            for folder in _folders(home / "files" / "md5", re.compile("[0-9a-f]{2}"))
            for path in _files(folder, _OBJECT)
        ]
        listings = {
            path.parent.name + path.name.removesuffix(".dir"): path for path in objects if path.suffix
        }
        folders = {path.name: path for path in _folders(home, _VERSION)}
        for name in sorted({*folders, *listings}):
            used = max(_written(path) for path in (folders.get(name), listings.get(name)) if path)
            size = _bytes(home / name, linked=False)
            yield Thing(
                Kind.VERSION, name, str(home), size, used, frozenset(of[f"{name}.dir"]), (home / name,)
            )
        versions = defaultdict[Path, set[str]](set)
        for name, listing in listings.items():
            versions[listing].add(name)
            with suppress(TaxohashError, OSError):  # a damaged one is fetched again
                for digest in files_of(listing.read_bytes(), f"{name}.dir").values():
                    versions[home / object_name(digest)].add(name)
        for path in objects:
            name = path.parent.name + path.name
            yield Thing(
                Kind.FILE,
                name,
                str(home),
                _bytes(path),
                _written(path),
                frozenset(versions[path]),
                (path,),
            )

    def _logs(self) -> Iterator[Thing]:
        for record in self._records():
            told = (LOG, f"{EVENTS}.jsonl")
            paths = tuple(
                path for path in (record.folder / name for name in told) if path.is_file() and _is_own(path)
            )
            name = record.folder.name
            if paths:
                total, used = sum(map(_bytes, paths)), max(map(_written, paths))
                yield Thing(Kind.LOG, name, str(record.folder.parent), total, used, frozenset({name}), paths)

    def _events(self) -> Iterator[Thing]:
        for path in _files(self.folder / "events", _EVENTS):
            yield _left(path, Kind.EVENTS)

    def _left(self) -> Iterator[Thing]:
        places = [self.folder / name for name in ("runs", "pipeline", "cache", "events", VERSIONS)]
        places += [record.folder for record in self._records()]
        places += _folders(self.folder / VERSIONS / "files" / "md5", re.compile("[0-9a-f]{2}"))
        for place in places:
            for path in [*_folders(place, _DRAFT), *_files(place, _DRAFT)]:
                yield _left(path)
        yield from half_put(self.generations)
        for path in _folders(Path(tempfile.gettempdir()), _SCRATCH):
            match = _SCRATCH.fullmatch(path.name)
            if match and path.stat().st_uid == os.getuid() and not psutil.pid_exists(int(match[1])):
                yield _left(path)


def listed(files: GenerationFiles, kind: Kind) -> Iterator[Thing]:
    """The generations of a place."""
    for found in files.all():
        own = kind if found.whole else Kind.HALF
        yield Thing(own, found.id, files.address, found.bytes, found.written)


def half_put(generations: Path) -> Iterator[Thing]:
    """What those who were killed left in a folder of generations."""
    for path in [*_folders(generations, _DRAFT), *_files(generations, _DRAFT)]:
        yield _left(path)
    for folder in _folders(generations, re.compile("[0-9a-f]{16}")):
        for path in _files(folder, _HALF_PUT):
            yield _left(path)


class _Claims:
    """Which runs use which trainings, outputs and data versions."""

    def __init__(self, home: Home, records: list[Record]) -> None:
        self.trainings = defaultdict[str, set[str]](set)
        self.outputs = defaultdict[str, set[str]](set)
        self.versions = defaultdict[str, set[str]](set)
        for record in records:
            name = record.folder.name
            given = _noted(record, PARAMETERS.removesuffix(".json")).get("parameters", {})
            md5 = _noted(record, "data").get("md5") or given.get("dataset_md5")
            if md5:
                self.versions[md5].add(name)
                if training := _training(str(md5), given.get("config", "")):
                    self.trainings[training].add(name)
            report = Path(_noted(record, "judgement").get("report", ""))
            if report.is_relative_to(home.folder / "pipeline"):
                self.outputs[report.relative_to(home.folder / "pipeline").parts[0]].add(name)


@cache
def _training(md5: str, config: str) -> str:
    """The name of the folder in which a run trains; empty where this version does not read its configuration."""
    from pipelines.retrain.steps import run_folder
    from taxohash.runtime.configuration import parse
    from taxohash.training.config import HasherConfig

    if not config:
        return ""
    try:
        return run_folder("", md5, parse(HasherConfig, config).completed()).name
    except TaxohashError:
        return ""


def _noted(record: Record, name: str) -> dict[str, Any]:
    file = record.folder / f"{name}.json"
    found = read_json(file, _REMEDY) if file.is_file() else {}
    if not isinstance(found, dict):
        raise TaxohashError(f"{file} holds no facts of a run: {_REMEDY}")
    return found


def _name_given(output: Path) -> str:
    """The name of the run whose steps wrote into a folder, as the first of them answered."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads((output / "begin" / "executor_output.json").read_text(encoding="utf-8"))
        return str(told["parameterValues"]["Output"])
    return ""


def _left(path: Path, kind: Kind = Kind.LEFTOVER) -> Thing:
    # What is being removed is in nobody's use.
    used = 0.0 if path.name.startswith(ASIDE) else _written(path)
    return Thing(kind, path.name, str(path.parent), _bytes(path), used, frozenset(), (path,))


# -- below a folder, without links ------------------------------------------------------------------------


def _folders(folder: Path, form: re.Pattern[str]) -> list[Path]:
    return _entries(folder, form, folders=True)


def _files(folder: Path, form: re.Pattern[str]) -> list[Path]:
    return _entries(folder, form, folders=False)


def _entries(folder: Path, form: re.Pattern[str], folders: bool) -> list[Path]:
    if not _is_own(folder):
        return []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sorted(
            Path(entry.path)
            for entry in entries
            if form.fullmatch(entry.name)
            and (entry.is_dir(follow_symlinks=False) if folders else entry.is_file(follow_symlinks=False))
        )
    return []


def _is_own(path: Path) -> bool:
    """Whether something is there that is no link to elsewhere."""
    return path.exists() and not path.is_symlink()


def _written(path: Path) -> float:
    """Unix time; 0 where it is gone by now."""
    with suppress(OSError):
        return path.lstat().st_mtime
    return 0.0


def _bytes(path: Path, linked: bool = True) -> int:
    """Bytes of a file, or of all files below a folder.

    Args:
        linked: count those that have another name elsewhere, too.
    """
    if path.is_file():
        return path.lstat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                found = os.lstat(os.path.join(folder, name))
                total += found.st_size if linked or found.st_nlink == 1 else 0
    return total
