"""Answers of the service, typed. What a newer service tells besides stands in `raw`, where there is one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str, ...]
Raw = Mapping[str, Any]


# -- searches ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A node of the path that most answers are below, and how many they are."""

    name: str
    items: int


@dataclass(frozen=True)
class Predicted:
    """A node of the query's own path, and how likely it is right."""

    name: str
    confidence: float


@dataclass(frozen=True)
class Asked:
    """What was searched for: `picture`, `item` (with its id) or `code`."""

    kind: str
    id: str | None = None


@dataclass(frozen=True)
class Result:
    """An item that was found.

    Attributes:
        distance: bits in which its code differs from the query's.
        weighted_distance: of the weights of all bits, the share of those that differ; only by weights.
        label_path: the first of its label paths.
        thumbnail: where it is, below the service's address.
        levels_agreed: at which it goes with the majority.
        identical: it has the very picture that was searched for.
        probabilities: for each level of its first label path, that the query is of that node; None where it was not measured.
        differing_bits: their places in the code; only where explained.
    """

    id: str
    distance: int
    label_path: Path
    label_paths: tuple[Path, ...]
    tags: tuple[str, ...] = ()
    thumbnail: str | None = None
    levels_agreed: int = 0
    weighted_distance: float | None = None
    identical: bool = False
    probabilities: tuple[float, ...] | None = None
    differing_bits: tuple[int, ...] | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Group:
    """Answers with one node at a level: its path, and their ids, the nearest first."""

    path: Path
    items: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """How an answer came about.

    Attributes:
        layout: how the codes lie that were looked at.
        touched: how many they were.
        histogram: how many items lie at distance 0, 1, ...
        timings_ms: milliseconds of each stage.
    """

    layout: str | None
    touched: int
    histogram: tuple[int, ...]
    timings_ms: Mapping[str, Any]


@dataclass(frozen=True)
class SearchAnswer:
    """The answer to one query.

    Attributes:
        code: of the query, hexadecimal.
        ranking: `weighted` or `hamming`.
        results: nearest first, ties by row.
        groups: only with group_by.
        cut: there are more within the radius; only with a radius.
        predicted: the query's own path, cut where it is no longer sure; None where that was not measured.
        unlike: a picture is unlike anything that the hasher was made of; None where it is not known.
        novelty: of a picture, as a multiple of what is still known.
        age_seconds: for which what was searched may be behind the store; None if nobody knows.
        raw: the answer as it came.
    """

    generation: str
    bits: int
    code: str
    ranking: str
    majority: tuple[Step, ...]
    results: tuple[Result, ...]
    query: Asked
    took_ms: float
    groups: tuple[Group, ...] | None = None
    radius: int | None = None
    cut: bool | None = None
    explanation: Explanation | None = None
    predicted: tuple[Predicted, ...] | None = None
    unlike: bool | None = None
    novelty: float | None = None
    age_seconds: float | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Encoded:
    """The code of a picture, hexadecimal, and where asked for what each of its bits weighs."""

    generation: str
    bits: int
    code: str
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Refusal:
    """Why one of several things was not done.

    Attributes:
        status: HTTP status of the same request alone; 0 where nothing was sent.
        reason: the service's word for it.
        sentence: what is wrong, and what to do.
    """

    status: int
    reason: str
    sentence: str


# -- items ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Links:
    """Where more of an item is, below the service's address."""

    item: str
    similar: str
    thumbnail: str | None = None
    image: str | None = None


@dataclass(frozen=True)
class ItemAnswer:
    """An item as the generation that is served has it.

    Attributes:
        state: `searchable`, `being encoded` or `cannot be encoded`.
        reason: why it cannot be encoded.
        code: hexadecimal; None where it has none in this generation.
        origin: who put it last, `api` or `data`.
        updated: Unix time of its last change, in seconds.
    """

    id: str
    generation: str
    state: str
    code: str | None
    label_paths: tuple[Path, ...]
    tags: tuple[str, ...]
    links: Links
    label_path: Path = ()
    reason: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    origin: str = ""
    updated: int = 0
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class PutAnswer:
    """What became of an item that was put; `token` for reads that must see it, which this client's own do."""

    id: str
    generation: str
    code: str
    new: bool
    token: str
    links: Links


@dataclass(frozen=True)
class EditAnswer:
    """What became of an item whose labels or tags were changed; `token` for reads that must see it, which this client's own do."""

    id: str
    generation: str
    token: str


@dataclass(frozen=True)
class DeleteAnswer:
    """What became of an item that was deleted; `pictures` are `removed`, or will be `later`."""

    id: str
    token: str
    pictures: str


@dataclass(frozen=True)
class Problem:
    """Why something was not answered (RFC 9457)."""

    type: str
    detail: str
    status: int

    @property
    def refusal(self) -> Refusal:
        """The same in short."""
        return Refusal(self.status, self.type.rpartition(":")[2], self.detail)


@dataclass(frozen=True)
class BatchResult:
    """What became of one item of a batch."""

    id: str
    status: int
    put: PutAnswer | None = None
    problem: Problem | None = None


@dataclass(frozen=True)
class BatchAnswer:
    """What became of the items of a batch, in their order."""

    generation: str
    results: tuple[BatchResult, ...]
    token: str | None = None


# -- what is served ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """A node of the taxonomy, and how many items are below it."""

    path: Path
    items: int


@dataclass(frozen=True)
class TaxonomyAnswer:
    """The label tree of the generation that is served, parents before children."""

    name: str
    levels: tuple[str, ...]
    nodes: tuple[Node, ...]
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class GenerationAnswer:
    """The generation that is served; its evaluation, data and network are in `raw`."""

    id: str
    bits: int
    codes: int
    collection: str
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class GenerationState:
    """A generation of the collection."""

    id: str
    bits: int
    state: str
    live: bool
    served: bool
    members: int
    codes: int
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class GenerationsAnswer:
    """The generations of the collection, the oldest first; `previous` is where a roll-back goes."""

    collection: str
    generations: tuple[GenerationState, ...]
    published: str | None = None
    previous: str | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class StatsAnswer:
    """What is served, in numbers.

    Attributes:
        lacking: items whose code is not there yet, or cannot be made.
        lag_seconds: for which writes are unread.
    """

    collection: str
    generation: str
    items: int
    coded: int
    lacking: int
    lag_seconds: float
    age_seconds: float | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)
