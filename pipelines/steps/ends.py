"""The first and the last thing that every run does: it gets its name, and says what came of it."""

import time

from pipelines.shared import outcomes
from pipelines.shared.events import events, events_file
from pipelines.shared.notify import notify
from pipelines.shared.outcome import outcome
from pipelines.shared.record import OUTCOME, Record
from pipelines.shared.step import step
from taxohash.runtime.atomic import write_text


@step("begin")
def begin(work: str, run: str, job: str, pipeline: str, collection: str) -> str:
    """The run's name: the one it was given, else Kubeflow's."""
    name = run or job
    record = Record(work, name)
    if not record.noted("begun"):
        record.note("begun", pipeline=pipeline, collection=collection, time=time.time())
    return name


@step("record")
def end(work: str, run: str, job: str, error: str) -> str:
    """Write the outcome of a run, however it ended, and notify; its JSON.

    Args:
        error: why it failed, as Kubeflow says.
    """
    record = Record(work, run or job)
    told = [event for event in events(events_file()) if event.step != "record"]
    found = outcome(record, told, error)
    write_text(record.folder / f"{OUTCOME}.json", found.to_json())
    outcomes.keep(found)
    notify(found)
    print(found.to_json(), flush=True)  # whoever may not read there finds it in the log
    return found.to_json()
