"""What a pipeline notes of a generation that it made, in the code store. All of it is known when it is sealed.

Not in the manifest: its id is a hash of what it says, and the same hasher of the same data would be another one for each run.
"""

import json
from collections.abc import Mapping
from dataclasses import field, fields
from typing import Annotated, Any

from pydantic import Field

from services.codestore import CodeStore
from taxohash.errors import TaxohashError
from taxohash.generation.manifest import Generation
from taxohash.runtime.configuration import NonNegative, Series, canonical, configuration, read

MOST_FILES = 2_000  # of a data version, which are listed; of more the cost of the next version is not known

Whole = Annotated[int, Field(ge=0)]


@configuration
class Made:
    """What the manifest of a generation says of how it came about, see `Generation`.

    Attributes:
        evaluation: the headline of its report, metrics by their names.
    """

    bits: Annotated[int, Field(ge=1)]
    objective: str
    network: str
    data_md5: str
    code: dict[str, str] = field(default_factory=dict)
    protocol: str = ""
    evaluation: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, generation: Generation) -> "Made":
        """What a manifest says."""
        headline = generation.evaluation.get("headline", {})
        numbers = headline if isinstance(headline, dict) else {}
        return cls(
            bits=generation.bits,
            objective=str(generation.objective.get("name", "")),
            network=generation.network,
            data_md5=generation.dataset_md5,
            code={name: str(value) for name, value in generation.code_revision.items()},
            protocol=str(generation.evaluation.get("protocol", "")),
            evaluation={
                name: float(value) for name, value in numbers.items() if isinstance(value, int | float)
            },
        )


@configuration
class Cost:
    """Files and bytes of a data version, and those of them that the version before did not have; see `taxohash data diff`."""

    files: Whole
    bytes: Whole
    new_files: Whole
    new_bytes: Whole


@configuration
class Origin:
    """Of a generation.

    Attributes:
        run, pipeline: that made it.
        begun: Unix time of the run's begin, in seconds.
        made: what its manifest says.
        image: in which the steps ran, or what stands for it on one machine.
        configuration: the whole of the hasher's, as JSON; empty where it was not trained in this run.
        champion: the generation that was published when the run began, or empty.
        data_before: the data version of that one.
        changes: images `added`, `removed`, `relabelled` since then.
        cost: of this data version beside that one; None where that is not known.
        files: bytes of each file of this one by its md5; none where there are too many.
        against, verdict, reason: how it was judged, see `taxohash.release.judging`.
        compared: metrics by which it was.
        findings: what each rule of the gate said.
        report: address of the evaluation's report.
        comparison: address of the page of what it changed, beside the generation that was published then; empty where it was compared with none.
        place: address of the generation's files.
    """

    run: str
    pipeline: str
    begun: NonNegative
    made: Made
    image: str = ""
    configuration: str = ""
    champion: str = ""
    data_before: str = ""
    changes: dict[str, int] = field(default_factory=dict)
    cost: Cost | None = None
    files: dict[str, Whole] = field(default_factory=dict)
    against: str = ""
    verdict: str = ""
    reason: str = ""
    compared: Series[dict[str, Any]] = ()
    findings: Series[dict[str, Any]] = ()
    report: str = ""
    comparison: str = ""
    place: str = ""


def note_origin(store: CodeStore, collection: str, generation_id: str, origin: Origin) -> None:
    """Keep the origin of a generation. One that another run has noted stays: a run that makes the same generation again, byte for
    byte, did not make it.

    Raises:
        StoreUnavailableError: the store does not answer.
    """
    known = origin_of(store, collection, generation_id)
    if known is None or known.run == origin.run:
        store.note_origin(collection, generation_id, canonical(origin))


def origin_of(store: CodeStore, collection: str, generation_id: str) -> Origin | None:
    """The origin of a generation; None where no run has noted one.

    Raises:
        StoreUnavailableError: the store does not answer.
        TaxohashError: what is kept there is none.
    """
    text = store.origin(collection, generation_id)
    if text is None:
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, Mapping):
        raise TaxohashError(f"the origin of generation {generation_id!r} is damaged: it is no object of JSON")
    names = {own.name for own in fields(Origin)}  # what a later release says besides is left out
    try:
        return read(Origin, {name: told[name] for name in names & told.keys()})
    except TaxohashError as error:
        raise TaxohashError(f"the origin of generation {generation_id!r} is damaged: {error}") from None


def configuration_of(origin: Origin) -> dict[str, Any]:
    """The configuration as an object; empty where there is none."""
    found = json.loads(origin.configuration) if origin.configuration else {}
    return found if isinstance(found, dict) else {}
