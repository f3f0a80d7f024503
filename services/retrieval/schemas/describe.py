"""What is told of what is served: taxonomy, generations, numbers."""

from typing import Annotated, Any, Literal

from pydantic import Field

from services.retrieval.schemas.base import Request, Told
from services.retrieval.schemas.search import Path

When = Annotated[str, Field(description="ISO 8601, UTC", examples=["2026-11-26T22:18:37+00:00"])]


class Node(Told):
    """A node of the taxonomy."""

    path: Path
    items: int = Field(description="below it")


class TaxonomyTold(Told):
    """The label tree of the generation that is served, parents before children."""

    name: str
    levels: list[str]
    source: str
    licence: str
    nodes: list[Node]


class Example(Told):
    """An item to start from."""

    id: str
    label_path: Path
    label_paths: list[Path]
    thumbnail: str


class ExamplesTold(Told):
    """At most 24 items, one of each label where there are any."""

    items: list[Example]


Place = Annotated[
    list[float], Field(min_length=2, max_length=2, description="on the map: x and y", examples=[[-2.25, 0.5]])
]


class ProjectionTold(Told):
    """How a code is placed on the map: at the offset and the weights of its set bits together, its first bit being the most significant."""

    weights: list[Place] = Field(description="of each bit")
    offset: Place
    explained: list[float] = Field(
        description="share of the variance of all bits that x and y show", examples=[[0.31, 0.18]]
    )


class MapItem(Told):
    """An item on the map."""

    id: str
    label_path: Path
    place: Place


class MapTold(Told):
    """A map of codes."""

    generation: str
    bits: int
    projection: ProjectionTold
    items: int = Field(description="that can be found; of these the sample is")
    sample: list[MapItem] = Field(
        description="at most 2,000, as many of each top-level node, or all that it has"
    )


class RightsTold(Told):
    """What who asks may do."""

    role: Literal["search", "write", "admin"] = Field(description="each may do what those before it may")
    publishes: bool = Field(
        description="whether publish and roll-back are open to who asks: an admin, where the service has its store's admin account"
    )


class GenerationTold(Told):
    """The generation that is served."""

    id: str
    bits: int
    codes: int
    without_code: int
    items_with_unknown_labels: int
    database: list[dict[str, Any]]
    objective: dict[str, Any]
    network: str
    taxonomy_sha256: str
    dataset_md5: str
    evaluation: dict[str, Any]
    bit_health: dict[str, Any]
    collection: str


class Move(Told):
    """Who moved the pointer to a generation, when and why."""

    operation: Literal["publish", "rollback"]
    when: When
    who: str
    why: str


class OneGeneration(Told):
    """A generation of the collection."""

    id: str
    bits: int
    state: Literal["building", "sealed", "published", "retired", "dropping"]
    live: bool = Field(description="writes reach it")
    created: When
    members: int = Field(description="items that it should have a code of")
    codes: int = Field(description="those that it has one of")
    quarantined: int = Field(description="of the others, those whose picture could not be encoded")
    served: bool = Field(description="by the process that answers")
    published: Move | None = Field(description="the last time that it was published")


class GenerationsTold(Told):
    """The generations of the collection, the oldest first."""

    collection: str
    published: str | None
    previous: str | None = Field(description="where a roll-back goes")
    generations: list[OneGeneration]


class Origins(Told):
    """Items by who put them last."""

    api: int
    data: int


class Index(Told):
    """The index of the codes."""

    layout: Literal["rings", "sliced", "flat"]
    bytes: int
    codes: int


class StatsTold(Told):
    """What is served, in numbers."""

    collection: str
    generation: str
    items: int
    coded: int
    lacking: int = Field(description="items whose code is not there yet, or cannot be made")
    by_origin: Origins | None = Field(description="null while the code store does not answer")
    index: Index
    bytes: int = Field(description="of all that is kept of items")
    age_seconds: float | None
    lag_seconds: float


class MoveBody(Request):
    """Who goes back, and why."""

    who: str = Field(min_length=1, max_length=200, examples=["ada"])
    why: str = Field(min_length=1, max_length=1000, examples=["better on held-out classes"])


class PublishBody(MoveBody):
    """Who publishes, and why."""

    instead_of: str | None = Field(
        default=None, description="the generation that must be published until then; empty: none"
    )


class Moved(Told):
    """What is published now."""

    published: str
    previous: str | None = Field(description="what was before")
