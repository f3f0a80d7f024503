"""Items as clients put and get them."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from services.retrieval.schemas.base import Request, Told, exactly_one
from services.retrieval.schemas.search import Problem, Wishes

MOST_ITEMS = 64  # of a batch
MOST_LABELS = 256
MOST_TAGS = 64

Id = Annotated[
    str,
    Field(
        description="of the item, 1 to 1,024 bytes of any UTF-8",
        examples=["shoes/0004"],
        json_schema_extra={"minLength": 1, "maxLength": 1024},
    ),
]
Token = Annotated[
    str | None,
    Field(
        description="of a write that the answer must have seen; waited for up to TAXOHASH_STORE_SECONDS",
    ),
]
Labels = Annotated[
    list[str],
    Field(
        max_length=MOST_LABELS,
        description="paths of labels of the taxonomy that is served",
        examples=[["warm/red/crimson"]],
    ),
]
Tags = Annotated[
    list[str],
    Field(
        max_length=MOST_TAGS, description="to filter by, each of 1 to 64 characters", examples=[["summer"]]
    ),
]
Code = Annotated[str, Field(description="packed bits as hexadecimal digits", examples=["9f3c01d2"])]


# -- what is asked ----------------------------------------------------------------------------------------------------


class Nothing(Request):
    """No parameters."""


class ById(Request):
    """An item by its id."""

    id: Id


class OnlyId(Nothing, ById):
    """An item by its id, and nothing else."""


class Seen(Request):
    """What the answer must have seen."""

    token: Token = None


class SeenById(Seen, ById):
    """An item by its id, and what the answer must have seen."""


class SimilarById(Wishes, ById):
    """What is wanted of items that are similar to one, by its id: as of a search."""


class Described(Request):
    """What is said of an item beside its picture; in a query string or a form each may stand several times."""

    wanted: ClassVar[Mapping[str, str]] = {}

    labels: Labels = Field(default_factory=list)
    tags: Tags = Field(default_factory=list)


class DescribedById(Described, ById):
    """The same, and the item's id."""


class Content(Described):
    """An item as JSON: a picture, or a code of the generation that is served."""

    image: str | None = Field(
        default=None,
        description="the bytes of a picture in base64",
        examples=["iVBORw0KGgoAAAANSUhEUg=="],
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/*"},
    )
    code: Code | None = None
    generation: str | None = Field(
        default=None, description="that made the code: the one that is served", examples=["8c7d0f7f2a31"]
    )

    def kinds(self) -> list[str]:
        """Which of a picture and a code are there."""
        return [name for name in ("image", "code") if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.code is None) != (self.generation is None):
            raise ValueError(
                "a code comes with the id of the generation that made it: give 'code' and 'generation'"
            )
        return self


class PutBody(Content):
    """The body of a put as JSON."""

    model_config = ConfigDict(json_schema_extra=exactly_one(("image",), ("code", "generation")))

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.kinds()) != 1:
            raise ValueError("an item is put with a picture or with a code: give either 'image' or 'code'")
        return self


class EditBody(Request):
    """What is changed of an item; what is not there stays as it is."""

    wanted: ClassVar[Mapping[str, str]] = {}

    labels: Labels | None = None
    tags: Tags | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.labels is None and self.tags is None:
            raise ValueError("an edit changes labels or tags: give 'labels', 'tags' or both")
        return self


class BatchItem(Content):
    """One item of a batch."""

    model_config = ConfigDict(json_schema_extra=exactly_one(("image",), ("file",), ("code", "generation")))

    id: str = Field(
        description="of the item, 1 to 1,024 bytes of any UTF-8; another is refused by itself",
        examples=["shoes/0004"],
    )
    file: str | None = Field(
        default=None, description="the name of the form's file with its picture", examples=["first"]
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.kinds()) + (self.file is not None) != 1:
            raise ValueError(
                "each item is put with a picture or with a code: give one of 'image', 'file' and 'code'"
            )
        return self


class BatchBody(Request):
    """Several items at once: the body as JSON, or the field `items` of a form whose files are named by them."""

    items: list[BatchItem] = Field(min_length=1, max_length=MOST_ITEMS)


class BatchEntries(Request):
    """The same before its items are read: each is refused by itself."""

    items: list[Any] = Field(min_length=1, max_length=MOST_ITEMS)


# -- what is answered -------------------------------------------------------------------------------------------------


class Links(Told):
    """Where more of an item is."""

    item: str
    similar: str
    thumbnail: str | None = Field(description="null where there is none")
    image: str | None = Field(description="the original; null where it is not kept here")


class Put(Told):
    """What became of an item that was put."""

    id: str
    generation: str = Field(description="by which the code is")
    code: Code
    new: bool = Field(description="there was no item of this id")
    token: str = Field(description="give it to a search or a get that must see this write")
    links: Links


class Edited(Told):
    """What became of an item whose labels or tags were changed."""

    id: str
    generation: str = Field(description="of whose taxonomy its labels are")
    token: str = Field(description="give it to a search or a get that must see this write")


class Deleted(Told):
    """What became of an item that was deleted."""

    id: str
    token: str
    pictures: Literal["removed", "later"] = Field(
        description="whether its original and thumbnail are gone already, but for those that another item has too"
    )


class ItemTold(Told):
    """An item as the generation that is served has it."""

    id: str
    generation: str
    state: Literal["searchable", "being encoded", "cannot be encoded"]
    reason: str | None = Field(description="why it cannot be encoded, else null")
    code: Code | None = Field(description="null where it has none in this generation")
    label_path: list[str] = Field(description="the first of its label paths")
    label_paths: list[list[str]]
    tags: list[str]
    metadata: dict[str, str | int | float | bool]
    origin: Literal["api", "data"] = Field(description="who put it last: this API, or a data set")
    updated: int = Field(description="Unix time of its last change, in seconds")
    links: Links


class BatchResult(Told):
    """What became of one item of a batch: what a put of it alone would have answered."""

    id: str | None = Field(description="null where the item told none")
    status: int = Field(description="201, 200, or that of the problem")
    put: Put | None = None
    problem: Problem | None = None


class BatchTold(Told):
    """What became of the items of a batch, in their order."""

    generation: str
    token: str | None = Field(description="of all that were put; null where none was")
    results: list[BatchResult]
