"""The ledger: what was sent, acknowledged, refused, or is not known, of every item.

A writer appends a line to its own file before it sends a write and after the answer, so a killed one has left what it knew:
    {"do": number, "kind": "upsert" | "delete", "items": [[id, picture], ...], "durable": bool, "at": seconds}
    {"ack": number, "at": seconds}           acknowledged
    {"refused": number, "why": text}         given up: it may have been applied where the refusal did not come from
    {"trouble": text}                        an attempt failed, and is repeated: the write may have been applied
    {"idle": token}, {"broke": traceback}
Times are of the machine's monotonic clock, which all processes share.
"""

import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

from tests.chaos.contents import BOTH, DATA


@dataclass(frozen=True)
class Touch:
    """One write of one item.

    Attributes:
        version: what it made of the item; None where it deleted it.
        sent, acked: seconds; acked is infinite where no acknowledgement has come.
        durable: what is acknowledged survives a failover.
    """

    version: str | None
    picture: str = ""
    writer: str = ""
    number: int = -1
    sent: float = -inf
    acked: float = -inf
    durable: bool = True


ABSENT = Touch(None)
FROM_DATA = Touch(DATA, DATA)


class Log:
    """Appends lines to the file of one writer; a line is in the file when the call returns, also if we are killed then.

    Half a line, of a writer that was killed while it wrote it, is removed: what it says was not done.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            data = path.read_bytes()
            os.truncate(path, data.rfind(b"\n") + 1)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, **line: Any) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")


class Ledger:
    """All writers' files, read on as they grow.

    Args:
        folder: of the files.
        failovers: the moments up to which what is only applied may be lost; grows.
    """

    def __init__(self, folder: Path, failovers: Sequence[float] = ()) -> None:
        self._folder = folder
        self._failovers = failovers
        self._read: defaultdict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._touches: defaultdict[str, list[Touch]] = defaultdict(lambda: [ABSENT])
        self._touches.update({item_id: [FROM_DATA] for item_id in BOTH})
        self._open: dict[str, list[str]] = {}  # by writer, the ids of the write without an answer
        self.idle: dict[str, str] = {}
        self.broken: list[str] = []
        self.counts: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()

    def update(self) -> None:
        """Read what was appended."""
        with self._lock:
            for path in sorted(self._folder.glob("*.log")):
                with path.open("rb") as file:
                    file.seek(self._read[path.stem])
                    data = file.read()
                whole = data[: data.rfind(b"\n") + 1]
                self._read[path.stem] += len(whole)
                for line in whole.splitlines():
                    self._take(path.stem, json.loads(line))

    def _take(self, writer: str, line: Mapping[str, Any]) -> None:
        self.idle.pop(writer, None)
        if "do" in line:
            for item_id, picture in line["items"]:
                touch = Touch(
                    f"{writer}.{line['do']}" if line["kind"] == "upsert" else None,
                    picture,
                    writer,
                    line["do"],
                    line["at"],
                    inf,
                    line["durable"],
                )
                self._touches[item_id].append(touch)
            self._open[writer] = [item_id for item_id, _ in line["items"]]
            self.counts["writes"] += 1
            self.counts["items written"] += len(line["items"])
        elif "ack" in line:
            for item_id in self._open.pop(writer):
                self._touches[item_id] = [
                    replace(touch, acked=line["at"])
                    if (touch.writer, touch.number) == (writer, line["ack"])
                    else touch
                    for touch in self._touches[item_id]
                ]
            self.counts["acknowledged"] += 1
        elif "refused" in line:
            self._open.pop(writer)
            self.counts["refused"] += 1
            self.troubles[line["why"]] += 1
        elif "trouble" in line:
            self.counts["ambiguous attempts"] += 1
            self.troubles[line["trouble"]] += 1
        elif "idle" in line:
            self.idle[writer] = line["idle"]
        elif "broke" in line:
            self.broken.append(f"{writer}: {line['broke']}")

    @property
    def ids(self) -> set[str]:
        """Of all items that a writer has touched, or may have."""
        with self._lock:
            return set(self._touches)

    def admissible(self, item_id: str, since: float, until: float) -> list[Touch]:
        """The writes of which an answer to a question between these moments may show the outcome."""
        with self._lock:
            touches = list(self._touches.get(item_id, (ABSENT,)))
        return admissible(touches, since, until, self._failovers)

    def lost(self, item_id: str, version: str | None) -> list[Touch]:
        """Acknowledged writes which this outcome lacks, and which a failover may have lost."""
        with self._lock:
            touches = list(self._touches.get(item_id, (ABSENT,)))
        shown = next((touch for touch in reversed(touches) if touch.version == version), ABSENT)
        return [
            touch
            for touch in touches
            if touch.acked < inf and not _reliable(touch, self._failovers) and _follows(touch, shown)
        ]

    def failed_over_after(self, moment: float) -> bool:
        """Whether there was a failover since then, or there is one now."""
        return any(failover > moment for failover in self._failovers)

    def settle(self, outcomes: Mapping[str, tuple[str | None, str]]) -> None:
        """While nothing is under way: what is there now is what there was, of ids by (version, picture)."""
        with self._lock:
            for item_id, (version, picture) in outcomes.items():
                self._touches[item_id] = [Touch(version, picture)]


def admissible(
    touches: Iterable[Touch], since: float, until: float, failovers: Iterable[float]
) -> list[Touch]:
    """Those that were sent before `until`, and not followed by one that was acknowledged before `since`, for good."""
    sent = [touch for touch in touches if touch.sent < until]
    final = [touch for touch in sent if touch.acked < since and _reliable(touch, failovers)]
    return [touch for touch in sent if not any(_follows(later, touch) for later in final)]


def _reliable(touch: Touch, failovers: Iterable[float]) -> bool:
    return touch.durable or not any(touch.acked < failover for failover in failovers)


def _follows(later: Touch, touch: Touch) -> bool:
    """Whether the one was certainly applied after the other: by times, or by the writer's own numbers."""
    if later.writer == touch.writer and later.number != touch.number:
        return later.number > touch.number
    return touch.acked < later.sent
