"""One run: clients at work, faults from the schedule, and everything checked again and again."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event, Thread

from services.codestore import CodeStore, Durability
from taxohash.errors import TaxohashError
from tests.chaos.check import check_at_rest, settle
from tests.chaos.client import Client
from tests.chaos.curator import Backfill, Curator
from tests.chaos.faults import faults_of
from tests.chaos.invariants import Violation
from tests.chaos.ledger import Ledger
from tests.chaos.places import Place, running
from tests.chaos.readers import Reader, following, taking_snapshots
from tests.chaos.serving import looking, serving_process
from tests.chaos.writer import Settings

_WRITERS = 2
_REST_SECONDS = 90.0  # until all writes are answered, once nothing is wrong any more
_FAULTS_A_CHECK = 4


@dataclass
class Outcome:
    """What a run has found.

    Attributes:
        counts: of what happened, by what.
        troubles: errors that clients were told, and how often.
        broken: exceptions that no client should see.
    """

    scenario: str
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.violations and not self.broken


class Writers:
    """The processes that write."""

    def __init__(self, place: Place, folder: Path, seed: int) -> None:
        self._settings = [
            Settings(place.url, f"w{number}", str(folder), seed, place.durabilities[number % 2])
            for number in range(_WRITERS)
        ]
        self._folder = folder
        self._token = 0
        self._processes = [_started(settings) for settings in self._settings]

    def kill(self, _place: Place, chance: random.Random) -> None:
        """kill -9 of one, and another in its place, which finds out what was done."""
        number = chance.randrange(_WRITERS)
        self._processes[number].kill()
        self._processes[number].wait()
        self._processes[number] = _started(self._settings[number])

    def pause(self) -> None:
        """Begin no further write."""
        self._token += 1
        (self._folder / "new pause").write_text(str(self._token))
        os.replace(self._folder / "new pause", self._folder / "pause")

    def rest(self, ledger: Ledger) -> bool:
        """Wait until none has a write under way; whether all came to rest."""
        deadline = time.monotonic() + _REST_SECONDS
        while time.monotonic() < deadline and not ledger.broken:
            ledger.update()
            if all(ledger.idle.get(settings.name) == str(self._token) for settings in self._settings):
                return True
            time.sleep(0.02)
        return False

    def go_on(self) -> None:
        """Write again."""
        (self._folder / "pause").unlink()

    def stop(self) -> None:
        """End all."""
        (self._folder / "stop").touch()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()


def run(scenario: str, seed: int, seconds: float) -> Outcome:
    """Run a scenario for so long; what was found, up to the first violation."""
    outcome = Outcome(scenario, seed)
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True))
        )
        logs = folder / "logs"
        logs.mkdir()
        place = stack.enter_context(running(scenario, folder, seed))
        stores = [
            stack.enter_context(CodeStore.connect(url, timeout=10.0))
            for url in (place.url, place.url, *[place.reader_url] * 4, place.url)
        ]
        ledger = Ledger(logs, place.failovers)
        curator = Curator(stores[0], seed, Durability.parse(place.durabilities[0]))
        curator.prepare()
        backfills = [Backfill(stores[1]), Backfill(stores[6])]
        swap = stack.enter_context(serving_process(stores[5]))
        readers = [
            Reader(following(stores[2], ledger)),
            Reader(taking_snapshots(stores[3], ledger)),
            Reader(looking(stores[5], swap, ledger)),
        ]
        clients: list[Client] = [curator, *backfills, *readers]
        stop, resting, at_rest = Event(), Event(), Event()
        threads = [
            Thread(target=curator.run, args=(stop, resting, at_rest)),
            *(Thread(target=backfill.run, args=(stop,)) for backfill in backfills),
            *(Thread(target=reader.run, args=(stop,)) for reader in readers),
        ]
        writers = Writers(place, logs, seed)
        for thread in threads:
            thread.start()
        try:
            chance = random.Random(f"faults {seed}")
            faults = {**faults_of(place), "writer killed": writers.kill}
            deadline = time.monotonic() + seconds
            while outcome.good and time.monotonic() < deadline:
                for _ in range(_FAULTS_A_CHECK):
                    name = chance.choice(sorted(faults))
                    time.sleep(chance.uniform(0.1, 0.8))
                    faults[name](place, chance)
                    outcome.faults[name] += 1
                    if name == "failover":
                        break  # before later writes hide what it has lost
                writers.pause()
                resting.set()
                place.heal()
                if not (writers.rest(ledger) and at_rest.wait(_REST_SECONDS)):
                    outcome.broken.append(
                        f"nothing is wrong any more, but a client does not come to rest: {ledger.idle}"
                    )
                    break
                _check(stores[4], looking(stores[4], swap, ledger), ledger, readers, outcome)
                outcome.broken += [text for client in clients for text in client.broken]
                outcome.violations += [violation for reader in readers for violation in reader.violations]
                resting.clear()
                writers.go_on()
        finally:
            stop.set()
            writers.stop()
            for thread in threads:
                thread.join()
        outcome.broken += ledger.broken
        outcome.counts += sum((client.counts for client in clients), ledger.counts)
        outcome.troubles += sum((client.troubles for client in clients), ledger.troubles)
    return outcome


def _check(
    store: CodeStore,
    serving: Callable[[], Iterator[Violation]],
    ledger: Ledger,
    readers: list[Reader],
    outcome: Outcome,
) -> None:
    """Everything, while no write is under way."""
    deadline = time.monotonic() + _REST_SECONDS
    while True:
        try:
            while Backfill(store).round():
                time.sleep(0.02)
            with ExitStack() as stack:
                for reader in readers:
                    stack.enter_context(reader.lock)
                outcome.violations += [*check_at_rest(store, ledger), *serving()]
                outcome.counts["acknowledged writes seen to be lost by failovers"] += settle(store, ledger)
            outcome.counts["checks at rest"] += 1
            return
        except TaxohashError as error:
            if time.monotonic() > deadline:
                outcome.broken.append(f"nothing is wrong any more, but the store is not to be read: {error}")
                return
            time.sleep(0.1)


def _started(settings: Settings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.chaos.writer", json.dumps(asdict(settings))]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], start_new_session=True)
