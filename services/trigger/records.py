"""What the trigger remembers of a collection: one document, small enough to be read and written whole."""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Literal, get_args

from pydantic import Strict

from services.runs import Outcome
from taxohash.runtime.configuration import Count, NonNegative, Series, canonical, configuration, parse

Pipeline = Literal["retrain", "reindex", "drift"]
PIPELINES: tuple[Pipeline, ...] = get_args(Pipeline)


class Kind(StrEnum):
    """What a reason for a run is."""

    ALERT = "alert"
    SCHEDULE = "schedule"
    DATA = "data"
    PERSON = "person"


@configuration
class Reason:
    """Why somebody wants a run.

    Attributes:
        key: by which the same reason is known again; two of one key are one.
        text: for people.
        time: Unix time in seconds.
    """

    kind: Annotated[Kind, Strict(False)]
    key: str
    text: str
    time: NonNegative


@configuration
class DataVersion:
    """A version of the data set.

    Attributes:
        md5: its identity.
        revision: commit of git that names it.
        time: Unix time at which it was first seen.
    """

    md5: str
    revision: str
    time: NonNegative


@configuration
class Pending:
    """A run that is wanted and has not begun; of each pipeline there is at most one.

    Attributes:
        reasons: why, oldest first; of a storm the first ones.
        attempt: the how manieth it will be.
        told: what people were told that it waits for.
    """

    pipeline: Pipeline
    reasons: Series[Reason]
    attempt: Count = 1
    told: str = ""


@configuration
class Run:
    """A run that was begun.

    Attributes:
        data: that it is about; None where nobody watches data.
        began, ended: Unix times; ended is 0 while it runs.
        cancelled: who asked that it ends, or empty.
        approved: who published what it made, where that awaited approval.
    """

    name: str
    pipeline: Pipeline
    reasons: Series[Reason]
    began: NonNegative
    attempt: Count = 1
    data: DataVersion | None = None
    cancelled: str = ""
    ended: NonNegative = 0.0
    outcome: Outcome | None = None
    approved: str = ""


@configuration
class Schedule:
    """When the timer asks for a run.

    Attributes:
        text: `every 86400` or five fields of cron, in UTC.
        due: Unix time at which it next does.
    """

    text: str
    due: NonNegative
    pipeline: Pipeline = "retrain"


@configuration
class Keeper:
    """The process that begins runs and follows them; others only take reasons down.

    Attributes:
        until: Unix time to which it may be relied on without another word.
    """

    name: str
    until: NonNegative


@configuration
class State:
    """All of it.

    Attributes:
        data: newest version of the data set.
        settled: its md5, where what is served was made of it before the trigger came, so that it is no news.
        running: of all pipelines one, as two would hold each other up.
        history: runs that ended, newest first.
    """

    data: DataVersion | None = None
    settled: str = ""
    pending: Series[Pending] = ()
    running: Run | None = None
    history: Series[Run] = ()
    schedule: Schedule | None = None
    keeper: Keeper | None = None

    def to_json(self) -> str:
        """One line of JSON."""
        return canonical(self)

    @classmethod
    def of_json(cls, text: str) -> "State":
        """What `to_json` wrote.

        Raises:
            TaxohashError: the text is no such thing.
        """
        return parse(cls, text)

    def wanted(self, pipeline: Pipeline) -> Pending | None:
        """The run of this pipeline that has not begun."""
        return next((pending for pending in self.pending if pending.pipeline == pipeline), None)

    def but(self, pipeline: Pipeline, *instead: Pending) -> "State":
        """The same with another wanted run of this pipeline, or none."""
        others = (pending for pending in self.pending if pending.pipeline != pipeline)
        return replace(self, pending=(*others, *instead))
