"""What a server left when it ended, and what is there when it is started again.

    DATA/ended        written by the server's guard when it has ended, however that was: checksum and size of each file of its log
    DATA/kept.json    which generations were published, and how far each segment was: when it was started, and when it was stopped

A log that is as it was left is not looked at any closer. Of one that is not, or whose end nobody saw, as after a power cut,
it is told what is missing: against `kept.json`, and by `verify`.
"""

import json
import re
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import redis
from pydantic import Field

from services.codestore.collection import LAYOUT
from services.codestore.integrity.verify import verify
from services.codestore.store import CodeStore
from services.codestore.wire import unended
from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import write_text
from taxohash.runtime.configuration import Series, configuration, parse, plain

_CKSUM_LINE = re.compile(r"(\d+) (\d+) ([^/\n]+)")
_COLLECTION = re.compile(r"taxohash:\{([^:{}]+)\}")
_SEGMENT = re.compile(r"taxohash:\{([^:{}]+):\d+\}")
_SEVERAL = 3  # files or segments that are named


@dataclass(frozen=True)
class Log:
    """The append-only log as it is found.

    Attributes:
        recorded: whether its guard saw how it ended.
        changes: how it differs from that, in words.
        missing: bytes that it is shorter.
    """

    recorded: bool
    changes: tuple[str, ...] = ()
    missing: int = 0

    @property
    def told(self) -> tuple[str, ...]:
        """Its changes as one line, or none."""
        return (f"its log is not as it was left: {', '.join(self.changes)}",) if self.changes else ()


def log_as_found(folder: Path, record: Path) -> Log:
    """Compare the files of a log with what was written down of them; about a tenth of a second per GB."""
    before = _entries(record.read_text(encoding="utf-8", errors="replace")) if record.exists() else {}
    if not before:
        return Log(recorded=not folder.is_dir())
    now = _entries(_cksum(folder))
    changes, missing = [], 0
    for name, (crc, size) in before.items():
        if name not in now:
            changes.append(f"{name} is missing")
            missing += size
        elif now[name] != (crc, size):
            shorter = size - now[name][1]
            missing += max(shorter, 0)
            how = (
                f"{shorter} bytes shorter"
                if shorter > 0
                else f"{-shorter} bytes longer"
                if shorter
                else "other bytes"
            )
            changes.append(f"{name} has {how}" if not shorter else f"{name} is {how}")
    changes += [f"{name} was added" for name in now.keys() - before.keys()]
    return Log(True, tuple(changes), missing)


def _cksum(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    if not names:
        return ""
    try:
        run = subprocess.run(["cksum", "--", *names], cwd=folder, capture_output=True, check=False)
    except OSError as error:
        raise TaxohashError(f"{folder} cannot be checked: cksum cannot be run ({error.strerror})") from None
    return run.stdout.decode(errors="replace")


def _entries(text: str) -> dict[str, tuple[int, int]]:
    """Checksum and size of each file, as POSIX cksum tells them; none where a line is no such line."""
    found = {}
    for line in text.splitlines():
        if not (match := _CKSUM_LINE.fullmatch(line)):
            return {}
        found[match[3]] = (int(match[1]), int(match[2]))
    return found


class LogCopy:
    """The log as it was found, while something is tried with it. Nothing of it is kept unless it is said so."""

    def __init__(self, folder: Path, copy: Path) -> None:
        self._folder = folder
        self._copy = copy

    def take(self) -> None:
        """Copy the log, if there is no copy."""
        if self._copy.exists():
            return
        draft = self._copy.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        try:
            if self._folder.exists():
                shutil.copytree(self._folder, draft)
            else:
                draft.mkdir()
            draft.rename(self._copy)
        except OSError as error:
            raise TaxohashError(
                f"the damaged log in {self._folder} cannot be copied ({error.strerror}): make room"
            ) from None

    def give_back(self) -> None:
        """Put the copy, if there is one, into the place of the log."""
        if self._copy.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._copy.rename(self._folder)

    def drop(self) -> None:
        """Remove the copy, if there is one."""
        shutil.rmtree(self._copy, ignore_errors=True)

    def keep(self, where: Path) -> Path:
        """Leave the copy under a name of its own."""
        self.take()
        kept = where / f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        self._copy.rename(kept)
        return kept


# -- what was in it --------------------------------------------------------------------------------

_Whole = Annotated[int, Field(ge=0)]


@configuration
class Published:
    """What a collection had published."""

    incarnation: str
    generation: str


@configuration
class Reached:
    """How far a segment was."""

    incarnation: str
    position: _Whole


@configuration
class Kept:
    """What a server held.

    `stopped`: it was written when the server was stopped, and nothing came after it. `collections`: those of this layout.
    `published` by collection, `segments` by key.
    """

    stopped: bool
    collections: Series[str]
    published: dict[str, Published]
    segments: dict[str, Reached]

    def to_file(self, path: Path) -> None:
        """Write it down."""
        write_text(path, json.dumps(plain(self), indent=1) + "\n")

    @classmethod
    def from_file(cls, path: Path) -> "Kept | None":
        """What was written down; None where nothing was, or nothing that can be read."""
        try:
            return parse(cls, path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TaxohashError):
            return None


def kept_by(client: "redis.Redis", stopped: bool) -> Kept:
    """What a server holds now, by plain commands.

    Raises:
        redis.RedisError: it does not answer, or not to us.
    """
    collections, published, segments = [], {}, {}
    for raw in client.scan_iter("taxohash:{*}", count=1000):
        key = raw.decode(errors="replace")
        if match := _COLLECTION.fullmatch(key):
            incarnation, history, layout = _texts(client.hmget(key, "incarnation", "history", "layout"))
            if layout == str(LAYOUT):
                collections.append(match[1])
            current = unended(history.encode(errors="surrogateescape"))[:1]
            if current:
                published[match[1]] = Published(incarnation=incarnation, generation=current[0])
        elif _SEGMENT.fullmatch(key):
            incarnation, position = _texts(client.hmget(key, "incarnation", "position"))
            segments[key] = Reached(
                incarnation=incarnation, position=int(position) if position.isdecimal() else 0
            )
    return Kept(
        stopped=stopped, collections=tuple(sorted(collections)), published=published, segments=segments
    )


def _texts(values: Any) -> list[str]:
    return [(value or b"").decode(errors="surrogateescape") for value in values]


def lost(before: Kept, now: Kept) -> dict[str, list[str]]:
    """What is missing, by collection, in words; a collection that was there and is not is named too."""
    found: dict[str, list[str]] = {}
    for name, pointed in before.published.items():
        if name not in now.published:
            found.setdefault(name, []).append(f"generation {pointed.generation!r} was published, now none is")
        elif now.published[name] != pointed and before.stopped:
            current = now.published[name].generation
            found.setdefault(name, []).append(
                f"generation {pointed.generation!r} was published, now {current!r} is"
            )
    gone: dict[str, list[str]] = {}
    behind: dict[str, int] = {}
    for key, reached in before.segments.items():
        match = _SEGMENT.fullmatch(key)
        name = match[1] if match else key
        if key not in now.segments or now.segments[key].incarnation != reached.incarnation:
            gone.setdefault(name, []).append(key.rpartition(":")[2].rstrip("}"))
        elif (missing := reached.position - now.segments[key].position) > 0:
            behind[name] = behind.get(name, 0) + missing
    for name, numbers in gone.items():
        more = f" and {len(numbers) - _SEVERAL} more" if len(numbers) > _SEVERAL else ""
        found.setdefault(name, []).append(f"segments {', '.join(numbers[:_SEVERAL])}{more} are not there")
    for name, writes in behind.items():
        found.setdefault(name, []).append(f"its last {writes} writes are missing")
    return found


# -- what is missing -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """What is to be told of data that were loaded, a line each, and whether something is hit that is, or was, published."""

    told: tuple[str, ...]
    hit: bool


def look_at(log: Log, cut: int, before: Kept | None, now: Kept, store: CodeStore | None) -> Found:
    """Look for what is missing or damaged in what a server has loaded from a log whose end is unknown, or another.

    Args:
        cut: bytes that were left out at its end when it was loaded.
        before: what was written down of it.
        store: verifies the collections; None where it has only a part of them.
    """
    published = {*now.published, *(before.published if before else ())}
    missing = lost(before, now) if before else {}
    told = [*log.told, *(f"collection {name!r}: {', '.join(texts)}" for name, texts in missing.items())]
    hit = set(missing)
    if log.changes and (log.missing or cut) and not (before and before.stopped):
        told.append("writes are missing that nobody has counted")
        hit |= published
    for name in now.collections:
        text, is_hit = _verified(store, name) if store else ("", False)
        told += [f"collection {name!r}: {text}"] if text else []
        hit |= {name} if is_hit else set()
    if not told:
        told.append(
            "nobody saw how its server ended: its last writes may be missing, what is there agrees with its checksums"
        )
    return Found(tuple(told), bool(hit & published))


def _verified(store: CodeStore, name: str) -> tuple[str, bool]:
    """What is damaged in a collection, and whether its published generation is hit."""
    try:
        report = verify(store, name)
    except TaxohashError as error:
        return str(error), True
    if not report.findings:
        return "", False
    more = f", and {len(report.findings) - 1} more" if len(report.findings) > 1 else ""
    return f"{report.findings[0]}{more}", report.published is None or report.hits(report.published)
