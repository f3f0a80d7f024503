"""How a service does, as it is asked and told."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from services.retrieval.schemas.base import Request, Told
from services.retrieval.schemas.describe import When

MOST_MINUTES = 60
UnixTime = Annotated[float, Field(description="Unix time", examples=[1795712697.5])]


class StatusWishes(Request):
    """How far back it is told."""

    wanted: ClassVar[Mapping[str, str]] = {"minutes": f"a whole number from 1 to {MOST_MINUTES}"}

    minutes: Annotated[int, Field(strict=False)] = Field(
        default=15, ge=1, le=MOST_MINUTES, description="of the past that the curves show", examples=[15]
    )


class FindingTold(Told):
    """Something that is not well."""

    severity: Literal["warning", "critical"]
    sign: str = Field(description="a word for it, always the same", examples=["published"])
    sentence: str


class ServedTold(Told):
    """What is served now, as `/readyz` tells it."""

    collection: str
    status: Literal["ready", "loading", "lagging", "stale", "draining"]
    generation: str | None
    published: str | None
    pinned: bool = Field(description="it is served whatever is published")
    published_is_served: bool
    store_reachable: bool
    codes: int | None = Field(description="that are searched")
    lag_seconds: float = Field(description="for which a write that is known is unread")
    age_seconds: float | None = Field(description="since it had all that the code store has; null: unknown")


class SwapTold(Told):
    """A change of the generation that is served."""

    when: UnixTime
    generation: str
    before: str | None = Field(description="what was served until then")


class LineTold(Told):
    """A line of a curve."""

    name: str
    now: float | None
    reference: float | None = Field(description="what is usual, or the bound; null where there is none")
    values: list[float | None] = Field(description="at each of the times; null where nothing is known")


class CurveTold(Told):
    """One or several lines on the same axes."""

    name: str = Field(examples=["latency"])
    title: str
    part: Literal["service", "retrieval"]
    unit: Literal["", "per second", "seconds", "bytes", "ratio"]
    meaning: str
    seconds: float = Field(description="each value is of so many before its time; 0: of its moment")
    reference: str = Field(description="what the lines' references are")
    lacking: str = Field(description="why nothing is known now; empty where something is")
    lines: list[LineTold]


class StatusTold(Told):
    """How the process that answers does."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "now": "2026-11-26T22:18:37+00:00",
                    "verdict": "warning",
                    "findings": [
                        {
                            "severity": "warning",
                            "sign": "busy",
                            "sentence": "12 searches in the last 5 minutes were refused: too much to do.",
                        }
                    ],
                    "unjudged": "Drift is judged from 500 pictures in the last hour on, and there were 120.",
                    "served": {
                        "collection": "shop",
                        "status": "ready",
                        "generation": "8c7d0f7f2a31",
                        "published": "8c7d0f7f2a31",
                        "pinned": False,
                        "published_is_served": True,
                        "store_reachable": True,
                        "codes": 120000,
                        "lag_seconds": 0.0,
                        "age_seconds": 0.1,
                    },
                    "every_seconds": 5.0,
                    "times": [1795731512.1, 1795731517.1],
                    "swaps": [{"when": 1795731512.1, "generation": "8c7d0f7f2a31", "before": None}],
                    "curves": [
                        {
                            "name": "requests",
                            "title": "Requests",
                            "part": "service",
                            "unit": "per second",
                            "meaning": "Requests answered, but for this page, probes and scrapes.",
                            "seconds": 15.0,
                            "reference": "",
                            "lacking": "",
                            "lines": [
                                {"name": "all", "now": 31.4, "reference": None, "values": [None, 31.4]}
                            ],
                        }
                    ],
                }
            ]
        }
    )

    now: When
    verdict: Literal["well", "warning", "critical"] = Field(description="the worst of the findings")
    findings: list[FindingTold] = Field(description="what is not well, the worst first")
    unjudged: str = Field(
        description="why pictures that were asked for are not judged by yet; empty where they are"
    )
    served: ServedTold
    every_seconds: float = Field(description="between two readings of the metrics")
    times: list[UnixTime] = Field(description="of the curves' values, at most 182")
    swaps: list[SwapTold] = Field(description="among these times")
    curves: list[CurveTold]
