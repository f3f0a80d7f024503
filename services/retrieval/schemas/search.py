"""What a search asks, and what it is answered."""

from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, RootModel, SkipValidation

from services.retrieval.schemas.base import MOST_FILTERS, MOST_QUERIES, Request, Told, exactly_one

Ranking = Literal["weighted", "hamming"]
RANKINGS: tuple[Ranking, ...] = get_args(Ranking)
Path = list[str]
Text = Annotated[str, Field(max_length=4096)]
Listed = Text | Annotated[list[Text], Field(max_length=MOST_FILTERS)]
Hex = Annotated[str, Field(pattern="^([0-9a-f]{2})+$", examples=["9f3c01d2"])]


# -- what is asked ----------------------------------------------------------------------------------------------------


class Wishes(Request):
    """What all queries of a search have in common. `within` and `tags` may stand in a form or a query string several times."""

    k: int = Field(
        default=10,
        ge=1,
        description="answers wanted, TAXOHASH_MAX_K at most; with a radius no more than so many, else as many as there may be",
    )
    radius: int | None = Field(
        default=None, ge=0, le=4096, description="all items within this Hamming distance"
    )
    within: Listed | None = Field(
        default=None, description="nodes of the taxonomy: items below one of them", examples=["warm/red"]
    )
    tags: Listed | None = Field(default=None, description="items that have all of them", examples=["summer"])
    group_by: Text | None = Field(
        default=None,
        description="a level of the taxonomy: the answers also by their nodes there",
        examples=["family"],
    )
    token: Annotated[str, Field(max_length=100_000)] | None = Field(
        default=None, description="of a write that the answer must have seen"
    )
    ranking: Ranking | None = Field(
        default=None,
        description="by weights of the picture's bits, which is what a picture asks for by itself, or by Hamming distance",
    )
    explain: bool = Field(default=False, description="say how the answer came about")
    generation: Text | None = Field(
        default=None,
        description="the one that must answer; a code means nothing to another",
        examples=["8c7d0f7f2a31"],
    )

    @property
    def nodes(self) -> tuple[str, ...]:
        """`within` as a list."""
        return _listed(self.within)

    @property
    def names(self) -> tuple[str, ...]:
        """`tags` as a list."""
        return _listed(self.tags)


class Picture(Request):
    """A query by picture."""

    image: str = Field(
        description="the bytes of a picture in base64",
        examples=["iVBORw0KGgoAAAANSUhEUg=="],
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/*"},
    )


class Item(Request):
    """A query by what an item looks like: its stored code in the generation that is served. It is no answer itself."""

    id: str = Field(description="of an item", examples=["train/0004"])


class Code(Request):
    """A query by a code of the generation that is served."""

    code: str = Field(description="its packed bits as hexadecimal digits", examples=["9f3c01d2"])


class ByPicture(Wishes, Picture):
    """A search by picture."""


class ByItem(Wishes, Item):
    """A search for what is like an item."""


class ByCode(Wishes, Code):
    """A search by code."""


class Batch(Wishes):
    """Several queries, each of a kind of its own."""

    queries: list[SkipValidation[Picture | Item | Code]] = Field(  # each is checked by itself
        min_length=1,
        max_length=MOST_QUERIES,
        examples=[[{"id": "train/0004"}, {"code": "9f3c01d2"}]],
    )


class SearchBody(RootModel[ByPicture | ByItem | ByCode | Batch]):
    """The body of a search as JSON."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"image": "iVBORw0KGgoAAAANSUhEUg==", "k": 5, "within": "warm"},
                {"id": "train/0004", "within": ["warm/red", "cold"], "group_by": "family"},
                {"code": "9f3c01d2", "radius": 6, "tags": ["summer"], "explain": True},
                {"queries": [{"id": "train/0004"}, {"code": "9f3c01d2"}], "k": 3},
            ]
        }
    )


class EncodeWishes(Request):
    """What all pictures that are encoded have in common."""

    weights: bool = Field(default=False, description="tell what each bit weighs, too")
    generation: Text | None = Field(default=None, description="the one that must answer")


class EncodeBody(EncodeWishes):
    """Pictures to encode, as JSON."""

    model_config = ConfigDict(json_schema_extra=exactly_one(("image",), ("images",)))

    image: str | None = Field(
        default=None,
        description="the bytes of a picture in base64",
        examples=["iVBORw0KGgoAAAANSUhEUg=="],
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/*"},
    )
    images: list[SkipValidation[str]] | None = Field(  # each is checked by itself
        default=None,
        min_length=1,
        max_length=MOST_QUERIES,
        description="or of several, each with an answer of its own",
    )


# -- what is answered -------------------------------------------------------------------------------------------------


class Step(Told):
    """A node of the majority's path, and how many of the answers are below it."""

    name: str
    items: int = Field(ge=1)


class Found(Told):
    """An item that was found."""

    id: str
    distance: int = Field(ge=0, description="bits in which its code differs from the query's")
    weighted_distance: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="of the weights of all bits, the share of those that differ; only by weights",
    )
    label_path: Path = Field(description="the first of its label paths")
    label_paths: list[Path]
    tags: list[str]
    thumbnail: str = Field(description="where it is")
    levels_agreed: int = Field(ge=0, description="at which it goes with the majority")
    identical: bool = Field(
        default=False,
        description="it has the very picture that is searched for, and comes first; by decoded pixels, or, of an item without a hash of them, by bytes",
    )
    probabilities: list[float] | None = Field(
        default=None,
        description="for each level of its first label path, that the query is of that node, as it was measured for items at such a "
        "distance when the hasher was evaluated; empty for an item without a label",
    )
    differing_bits: list[int] | None = Field(
        default=None, description="their places in the code; only where explained"
    )


class Group(Told):
    """Answers with one node at a level."""

    path: Path = Field(
        description="of the node; shorter where labels end before, empty for items without a label"
    )
    items: list[str] = Field(
        description="ids of those of the answers, nearest first; one with several labels may be in several"
    )


class Timings(Told):
    """Milliseconds of each stage."""

    decode: float | None = Field(default=None, description="only of a picture")
    encode: float | None = Field(default=None, description="only of a picture")
    search: float
    describe: float


class Explanation(Told):
    """How an answer came about."""

    layout: Literal["rings", "sliced", "flat"] | None = Field(
        description="how the codes that were looked at lie; null where there are none"
    )
    touched: int = Field(ge=0, description="codes that the search looked at")
    histogram: list[int] = Field(
        description="how many items that the filters allow lie at distance 0, 1, ... of the query, an item that is the query included"
    )
    timings_ms: Timings


class Asked(Told):
    """What was searched for."""

    kind: Literal["picture", "item", "code"]
    id: str | None = Field(default=None, description="of the item")


class Predicted(Told):
    """A node of the query's own path."""

    name: str
    confidence: float = Field(
        ge=0, le=1, description="how often a node that its neighbours say so of is right"
    )


class Answer(Told):
    """The answer to one query."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "generation": "8c7d0f7f2a31",
                    "bits": 32,
                    "code": "9f3c01d2",
                    "query": {"kind": "item", "id": "train/0004"},
                    "within": "warm",
                    "ranking": "hamming",
                    "majority": [{"name": "warm", "items": 1}, {"name": "red", "items": 1}],
                    "results": [
                        {
                            "id": "train/0017",
                            "distance": 2,
                            "label_path": ["warm", "red"],
                            "label_paths": [["warm", "red"]],
                            "tags": ["summer"],
                            "thumbnail": "/v1/thumbnail?id=train%2F0017",
                            "levels_agreed": 2,
                        }
                    ],
                    "took_ms": 0.42,
                    "age_seconds": 0.1,
                }
            ]
        }
    )

    generation: str
    bits: int
    code: Hex
    predicted: list[Predicted] | None = Field(
        default=None,
        description="the query's own path, cut where it is no longer sure; none where that was not measured of the hasher",
    )
    unlike: bool | None = Field(
        default=None,
        description="the picture is unlike anything that the hasher was made of: nothing like this is here",
    )
    novelty: float | None = Field(
        default=None,
        ge=0,
        description="of a picture, as a multiple of what is still known: more than 1 is unlike",
    )
    query: Asked
    within: str | list[str] | None = Field(description="as it was asked")
    ranking: Ranking
    majority: list[Step]
    results: list[Found] = Field(description="nearest first, ties by row")
    groups: list[Group] | None = Field(
        default=None, description="in the order of their nearest items; only with group_by"
    )
    radius: int | None = Field(default=None, description="only where one was asked for")
    cut: bool | None = Field(
        default=None,
        description="there are more within the radius, no nearer by Hamming distance than those; only with a radius",
    )
    explanation: Explanation | None = Field(default=None, description="only where it was asked for")
    took_ms: float = Field(ge=0)
    age_seconds: float | None = Field(
        description="for which what is searched may be behind the store; null if nobody knows"
    )


class Problem(Told):
    """Why something was not answered (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None


class Refused(Told):
    """A query of several that could not be answered."""

    problem: Problem


class Answers(Told):
    """The answers to several queries, in their order."""

    generation: str
    answers: list[Answer | Refused]
    took_ms: float


class SearchTold(RootModel[Answer | Answers]):
    """The answer to a search: that of its query, or of each of several."""


class Encoded(Told):
    """The code of a picture."""

    generation: str
    bits: int
    code: Hex
    weights: list[float] | None = Field(
        default=None,
        description="of each bit, as sure as the hasher is of it; only where they were asked for",
    )


class AllEncoded(Told):
    """The codes of several pictures, in their order."""

    generation: str
    answers: list[Encoded | Refused]
    took_ms: float


class EncodeTold(RootModel[Encoded | AllEncoded]):
    """The code of a picture, or of each of several."""


def _listed(given: str | list[str] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())
