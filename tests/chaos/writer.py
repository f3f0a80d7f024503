"""A writer: a process of its own, so that it can be killed; what it did is in its log.

python -m tests.chaos.writer SETTINGS (a JSON object, see Settings)
"""

import json
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.codestore import APPLIED, CodeStore, Durability, StoreUnavailableError, WriteId
from taxohash.errors import TaxohashError
from tests.chaos.client import brief
from tests.chaos.contents import BOTH, COLLECTION, codes_of, item_of
from tests.chaos.ledger import Log

SHARED = tuple(f"shared ü {number}" for number in range(12))  # written by everybody
_OWN = 80  # ids that nobody else writes
_LOOK = 20  # writes between two looks at which generations there are


@dataclass(frozen=True)
class Settings:
    """What a writer is told.

    Attributes:
        name: of the writer, and of its log; the same after it was killed.
        durability: of its writes, as text.
        most: items of a batch.
    """

    url: str
    name: str
    folder: str
    seed: int
    durability: str = "applied"
    most: int = 120


class Writer:
    """Writes batches of items, each once, and repeats each until it is acknowledged or refused."""

    def __init__(self, store: CodeStore, settings: Settings) -> None:
        self._store = store
        self._name = settings.name
        self._durability = Durability.parse(settings.durability)
        self._most = settings.most
        self._chance = random.Random(f"{settings.seed} {settings.name} {time.monotonic_ns()}")
        path = Path(settings.folder) / f"{settings.name}.log"
        self._log = Log(path)
        self._number, self._unanswered = _known(path)
        self._pictures: dict[str, str] = {}
        self._generations: list[str] = []
        self._ids = (*(f"{settings.name} ñ {number}" for number in range(_OWN)), *SHARED, *BOTH)

    def step(self) -> None:
        """One write; the one that was interrupted, if there is one."""
        if self._unanswered is None:
            self._number += 1
            self._unanswered = self._drawn()
            self._log.write(do=self._number, **self._unanswered)
        write, line = WriteId(self._name, self._number), self._unanswered
        pairs = [(item_id, picture) for item_id, picture in line["items"]]
        version = f"{self._name}.{self._number}"
        try:
            if line["kind"] == "delete":
                ids = [item_id for item_id, _ in pairs]
                self._until_answered(
                    lambda: self._store.delete(COLLECTION, ids, write=write, durability=self._durability)
                )
            else:
                items = [item_of(item_id, version, picture) for item_id, picture in pairs]
                codes = {name: codes_of(pairs, name) for name in line["generations"]}
                self._until_answered(
                    lambda: self._store.upsert(
                        COLLECTION, items, codes, write=write, durability=self._durability
                    )
                )
        except TaxohashError as error:
            self._log.write(refused=self._number, why=brief(error))
            self._generations = []
        else:
            self._log.write(ack=self._number, at=time.monotonic())
            self._pictures.update(
                pairs if line["kind"] == "upsert" else [(item_id, "") for item_id, _ in pairs]
            )
        self._unanswered = None

    @property
    def at_rest(self) -> bool:
        """Whether no write of this writer waits for its answer."""
        return self._unanswered is None

    def idle(self, token: str) -> None:
        """Say that there is nothing under way."""
        self._log.write(idle=token)

    def _until_answered(self, write: Callable[[], object]) -> None:
        while True:
            try:
                write()
                return
            except StoreUnavailableError as error:
                self._log.write(trouble=brief(error))
                time.sleep(self._chance.uniform(0.0, 0.1))

    def _drawn(self) -> dict[str, Any]:
        """A batch: deleted, or put with a new picture or the one that is there, with its codes or without."""
        chance = self._chance
        if self._number % _LOOK == 1 or not self._generations:
            self._look()
        ids = chance.sample(self._ids, min(chance.choice((1, 1, 2, 5, 20, len(self._ids))), self._most))
        kind = "delete" if chance.random() < 0.25 else "upsert"
        kept = chance.random() < 0.3
        items = [
            (item_id, (kept and self._pictures.get(item_id)) or f"{self._name}.{self._number}")
            for item_id in ids
        ]
        named = self._generations if chance.random() < 0.6 else []
        return {
            "kind": kind,
            "items": [(item_id, "" if kind == "delete" else picture) for item_id, picture in items],
            "generations": named if kind == "upsert" else [],
            "durable": self._durability != APPLIED,
            "at": time.monotonic(),
        }

    def _look(self) -> None:
        try:
            self._generations = [known.ref.id for known in self._store.generations(COLLECTION) if known.live]
        except TaxohashError as error:
            self._log.write(trouble=brief(error))


def _known(path: Path) -> tuple[int, dict[str, Any] | None]:
    """The last number in a log, and the write of it if there is no answer to it."""
    number, unanswered = 0, None
    for text in path.read_text().splitlines():
        line = json.loads(text)
        if "do" in line:
            number, unanswered = line.pop("do"), line
        elif "ack" in line or "refused" in line:
            unanswered = None
    return number, unanswered


def main(settings: Settings) -> None:
    """Write until the file `stop` is there; rest while `pause` is."""
    folder = Path(settings.folder)
    chance = random.Random(settings.seed)
    writer = None
    told = ""
    try:
        while not (folder / "stop").exists():
            try:
                if writer is None:
                    writer = Writer(CodeStore.connect(settings.url, timeout=5.0), settings)
            except StoreUnavailableError:
                time.sleep(0.1)
                continue
            token = (folder / "pause").read_text() if (folder / "pause").exists() else ""
            if not token or not writer.at_rest:
                writer.step()
                time.sleep(chance.uniform(0.0, 0.01))
            elif token != told:
                writer.idle(told := token)
            else:
                time.sleep(0.02)
    except BaseException:
        Log(folder / f"{settings.name}.log").write(broke=traceback.format_exc())
        raise


if __name__ == "__main__":
    main(Settings(**json.loads(sys.argv[1])))
