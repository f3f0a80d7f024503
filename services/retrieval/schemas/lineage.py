"""Where a generation comes from, as it is asked and told."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from services.retrieval.schemas.base import Request, Told
from services.retrieval.schemas.describe import When

MOST = 1_000
Id = Annotated[str, Field(examples=["8c7d0f7f2a31b6c4"])]
Md5 = Annotated[str, Field(examples=["a6f484b39484e1905a12fea200e30714.dir"])]


class LineageWishes(Request):
    """How far back it is followed."""

    wanted: ClassVar[Mapping[str, str]] = {"most": f"a whole number from 1 to {MOST}"}

    most: Annotated[int, Field(strict=False)] = Field(
        default=1,
        ge=1,
        le=MOST,
        description="generations at most: this one, the one that it replaced, and so on",
        examples=[5],
    )


class LineageMove(Told):
    """Who moved the pointer, or removed a generation, when and why."""

    operation: Literal["publish", "rollback", "discard"]
    when: When
    who: str = Field(examples=["pipeline nightly-12"])
    why: str = Field(examples=["mAP 0.91 instead of 0.90"])


class PublishedTold(LineageMove):
    """How the pointer came to a generation."""

    replaced: Id | None = Field(description="what was published until then")


class ReplacedTold(LineageMove):
    """How the pointer left a generation."""

    generation: Id = Field(description="that is published since then")


class RunTold(Told):
    """The run of a pipeline that made a generation."""

    name: str = Field(examples=["nightly-12"])
    pipeline: str = Field(examples=["retrain"])
    begun: When
    image: str = Field(description="in which its steps ran", examples=["taxohash/python-train:0.1.0"])
    configuration: dict[str, Any] | None = Field(
        description="of the hasher, whole; none where it was not trained"
    )
    report: str | None = Field(description="address of the evaluation's report")
    comparison: str | None = Field(description="address of the page of what it changed")
    place: str | None = Field(description="address of the generation's files")


class HasherTold(Told):
    """What makes the codes."""

    objective: str
    network: str
    bits: int


class CostTold(Told):
    """What a data version takes beside the one before it; each file counts once, and the list of them as one."""

    files: int
    bytes: int
    new_files: int = Field(description="that the version before did not have")
    new_bytes: int = Field(description="of these, to store and to move")


class DataTold(Told):
    """The data version."""

    md5: Md5
    before: Md5 | None = Field(description="the data version of the generation that was published then")
    changes: dict[str, int] = Field(
        description="items since then", examples=[{"added": 12, "removed": 0, "relabelled": 3}]
    )
    cost: CostTold | None


class EvaluationTold(Told):
    """Its quality when it was made."""

    protocol: str
    metrics: dict[str, float]


class JudgementTold(Told):
    """Why it might be published."""

    against: str
    verdict: str
    reason: str
    compared: list[dict[str, Any]] = Field(description="metrics, each with its bound")
    findings: list[dict[str, Any]] = Field(description="what each rule of the gate said")


class OneLineage(Told):
    """Where a generation comes from, and what became of it."""

    collection: str
    generation: Id
    state: Literal["building", "sealed", "published", "retired", "dropping", "removed"]
    created: When | None = Field(description="in the code store; none where it is there no more")
    by_hand: bool = Field(description="no run has noted that it made it")
    run: RunTold | None
    hasher: HasherTold | None = Field(
        description="this and what follows: none where no run has noted it and no manifest is at hand"
    )
    code: dict[str, str] | None = Field(
        description="commit and command", examples=[{"commit": "0b2c209", "command": "train"}]
    )
    data: DataTold | None
    evaluation: EvaluationTold | None
    judgement: JudgementTold | None
    published: list[PublishedTold] = Field(description="the first time first")
    replaced: Id | None = Field(description="what was published until it was, the first time")
    replaced_by: ReplacedTold | None = Field(description="the last time; none while it is published")
    removed: LineageMove | None


class LineageTold(Told):
    """A generation, and those that it goes back to."""

    lineage: list[OneLineage] = Field(description="the one that was asked for first", min_length=1)
