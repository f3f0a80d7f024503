"""What brings the trigger's decisions about: takes reasons down, begins runs, follows them, and writes down what came of them."""

import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from services import metrics
from services.trigger import decide
from services.trigger.decide import Policy
from services.trigger.exported import count, export
from services.trigger.records import DataVersion, Kind, Run, State
from services.trigger.runs import Runs
from services.trigger.schedule import next_due
from services.trigger.state import Memory
from taxohash.errors import TaxohashError
from taxohash.runtime.terminal import some

LEASE_SECONDS = 15.0
_LOOK_SECONDS = 0.5
LOG = logging.getLogger("taxohash.trigger")

Step = Callable[[State], State]


class Keeper:
    """Keeps the runs of one collection. Its own thread, from `start` to `stop`, does what takes time.

    Attributes:
        policy: by which it decides.
        name: by which other triggers know it: where a killed one lay, the next goes on at once.
    """

    def __init__(
        self,
        collection: str,
        memory: Memory,
        runs: Runs,
        policy: Policy,
        served: Callable[[], str | None],
        tell: Callable[[str], None],
        *,
        name: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            served: data version of the published generation, see `decide.arrived`.
            tell: says a sentence to people.
            clock: Unix time.
        """
        self.policy = policy
        self._collection = collection
        self.name = name or socket.gethostname()
        self._memory, self._runs, self._clock = memory, runs, clock
        self._served, self._tell = served, tell
        self._woken, self._stopped = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = ""

    # -- what others tell and ask --------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """As it is now."""
        return self._memory.read()

    @property
    def now(self) -> float:
        """Unix time in seconds."""
        return self._clock()

    def change(self, step: Step) -> State:
        """Take something down, for good; what follows of it follows soon."""
        state = self._memory.change(step)
        self._woken.set()
        return state

    def data_arrived(self, md5: str, revision: str) -> None:
        """The data version that is the newest now."""
        known = self.state.data
        if known is not None and known.md5 == md5:
            return
        version = DataVersion(md5=md5, revision=revision, time=self.now)
        served = self._served()
        state = self.change(lambda state: decide.arrived(state, version, served=served))
        if state.settled != md5:
            metrics.TRIGGER_REASONS.labels(Kind.DATA.value).inc()
        LOG.info("a data version has arrived", extra={"data": md5, "revision": revision})

    def log_of(self, name: str) -> str | None:
        """The last that a run said, or None where there is no such run."""
        state = self.state
        known = [state.running.name] if state.running else []
        return self._runs.log_of(name) if name in (*known, *(run.name for run in state.history)) else None

    # -- its thread ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Keep the runs from now on."""
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Keep them no more: the next trigger takes up the run under way."""
        self._stopped.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
        state = self.state
        if state.running and self._is_mine(state):
            self._runs.leave(state.running)
        self._memory.change(lambda state: decide.left(state, self.name))

    def look(self) -> State:
        """Do what is to be done now; the state after it."""
        now = self.now
        state = self._memory.change(lambda state: decide.kept(state, self.name, now, LEASE_SECONDS))
        if not self._is_mine(state):
            return state
        if state.schedule and state.schedule.due <= now:
            state = self._memory.change(lambda state: self._struck(state, now))
            metrics.TRIGGER_REASONS.labels(Kind.SCHEDULE.value).inc()
        if state.running:
            state = self._followed(state.running)
        if state.running is None and decide.next_run(state, self.policy, now):
            state = self._begun(now)
        return self._noted(state, now)

    def _keep(self) -> None:
        while not self._stopped.is_set():
            try:
                export(self.look(), self.policy, self.now, self._collection)
                self._trouble = ""
            except Exception as error:  # the store is away, say: what is taken down lies there
                if (trouble := f"{type(error).__name__}: {error}") != self._trouble:
                    self._trouble = trouble
                    LOG.error("runs are not kept: %s", error, exc_info=not isinstance(error, TaxohashError))
            self._woken.wait(_LOOK_SECONDS)
            self._woken.clear()

    def _noted(self, before: State, now: float) -> State:
        """Tell people of runs that wait for what only people can bring: data, or a word."""
        state = self._memory.change(lambda state: decide.noted(state, self.policy, now))
        for pending in state.pending:
            known = before.wanted(pending.pipeline)
            if pending.told and (known is None or known.told != pending.told):
                self._tell(
                    f"{pending.pipeline} is {pending.told}: {some(reason.text for reason in pending.reasons)}"
                )
        return state

    def _is_mine(self, state: State) -> bool:
        return state.keeper is not None and state.keeper.name == self.name

    def _struck(self, state: State, now: float) -> State:
        due = next_due(state.schedule.text, now) if state.schedule else now
        return decide.struck(state, now, due)

    def _begun(self, now: float) -> State:
        suffix = f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"

        def step(state: State) -> State:
            pending = decide.next_run(state, self.policy, now)
            if pending is None or not self._is_mine(state):
                return state
            return decide.begun(state, pending, f"{pending.pipeline}-{suffix}", now)

        state = self._memory.change(step)
        if state.running is None:
            return state
        LOG.info("a run begins", extra=_told(state.running))
        self._runs.prune({state.running.name, *(run.name for run in state.history)})
        return self._followed(state.running)

    def _followed(self, run: Run) -> State:
        """Look at the run under way, which is begun where it is not; what came of it is written down."""
        if run.cancelled:
            self._runs.cancel(run)
        end = self._runs.follow(run)
        if end is None:
            return self.state
        outcome, now = end.outcome, self.now
        state = self._memory.change(
            lambda state: decide.ended(state, run.name, outcome, self.policy, now, final=end.final)
        )
        count(run, outcome, now, self._collection)
        LOG.info(
            "a run ended", extra={**_told(run), "verdict": outcome.verdict.value, "reason": outcome.reason}
        )
        if not end.told:
            self._tell(f"{run.pipeline} {outcome.verdict.value}: {outcome.reason}")
        return state


def _told(run: Run) -> dict[str, object]:
    return {"run": run.name, "pipeline": run.pipeline, "attempt": run.attempt, "reasons": len(run.reasons)}
