"""A trigger over a memory of this process, whose runs are real processes of a fake `taxohash`."""

import json
import sys
from pathlib import Path
from typing import Any

from services.trigger.approve import Approver
from services.trigger.decide import Policy
from services.trigger.keeper import Keeper
from services.trigger.main import words_of
from services.trigger.records import State
from services.trigger.runs import Runs
from services.trigger.service import Service
from services.trigger.settings import Settings
from tests.support import fake_taxohash
from tests.support.toy_memory import toy_memory
from tests.support.waiting import until

COLLECTION = "birds"


class ToyTrigger:
    """One trigger, looked after by the test instead of its thread.

    Attributes:
        now: Unix time, which passes when the test says so.
        served: data version of the published generation.
        published: its id; the fake's runs are compared with it.
        told: what people were told.
    """

    def __init__(self, folder: Path, policy: Policy | None = None, **settings: Any) -> None:
        self.folder, self.now = folder, 1_000_000.0
        self.served: str | None = ""
        self.published = "old"
        self.told: list[str] = []
        self.settings = Settings(
            COLLECTION,
            folder / "trigger",
            command_of(folder),
            policy=policy or Policy(watched=False),
            **settings,
        )
        self.server, self._memory = toy_memory(COLLECTION)
        self.keeper = self.keeper_of()
        approver = Approver(COLLECTION, self.settings.command)
        self.service = Service(self.settings, self.keeper, None, approver, lambda: self.published)

    def keeper_of(self, name: str = "here") -> Keeper:
        """Another trigger's keeper over the same memory and folder, as after a restart."""
        runs = Runs(self.settings.folder, COLLECTION, lambda run: words_of(self.settings, run))
        return Keeper(
            COLLECTION, self._memory, runs, self.settings.policy, lambda: self.served,
            self.told.append, name=name, clock=lambda: self.now
        )  # fmt: skip

    def script(self, **told: Any) -> None:
        """What the fake does from now on, see there."""
        (self.folder / "script.json").write_text(json.dumps(told))

    def finish(self) -> None:
        """Let the run under way end."""
        (self.folder / "finish").touch()

    def ledger(self, event: str) -> list[dict[str, Any]]:
        """What the fake wrote down."""
        return ledger(self.folder, event)

    def settle(self) -> State:
        """Look until no run is under way; the state then."""
        until(lambda: self.keeper.look().running is None)
        return self.keeper.state


def command_of(folder: Path) -> tuple[str, ...]:
    """The fake's command."""
    return (sys.executable, "-S", str(fake_taxohash.__file__), str(folder), "run")


def ledger(folder: Path, event: str) -> list[dict[str, Any]]:
    """What the fake wrote down of one kind."""
    file = folder / "ledger"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [line for line in lines if line["event"] == event]
