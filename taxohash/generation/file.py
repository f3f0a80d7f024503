"""What may stand in the JSON files of a generation, and the one line about what may not."""

from typing import Annotated, Any, Literal

from pydantic import Field

from taxohash.generation.calibration import Calibration
from taxohash.generation.projection import Projection
from taxohash.runtime.configuration import Count, Series, configuration

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Json = dict[str, Any]
Number = Annotated[int, Field(ge=0)]


@configuration
class PreprocessingFile:
    """See `Preprocessing`."""

    size: Count
    channels: Literal[1, 3]
    fit: Literal["pad", "crop"]
    mean: Series[float]
    std: Series[float]
    reader: int | None = None


@configuration
class Part:
    """A split whose codes a generation holds, and how many."""

    split: str
    rows: Number


@configuration
class ManifestFile:
    """The content of a generation.json beside its id and format; see `Generation`."""

    bits: Count
    objective: Json
    network: str
    preprocessing: PreprocessingFile
    taxonomy_sha256: Sha256
    dataset_md5: str
    code_revision: dict[str, str]
    evaluation: Json
    bit_health: Json
    reference: Json
    database: Series[Part] = ()
    calibration: Calibration | None = None
    projection: Projection | None = None
    files: dict[str, Sha256]


@configuration
class ItemsFile:
    """The content of an items.json: for each code its item's id and labels."""

    ids: Series[str]
    labels: Series[Series[Number]]


@configuration
class DraftFile:
    """The content of a draft.json; see `release.draft.Draft`."""

    bits: Count
    objective: Json
    network: str
    preprocessing: PreprocessingFile
    code_revision: dict[str, str]
    learned_from: str
