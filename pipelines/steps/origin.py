"""Where a generation comes from, of what the steps of its run have noted; and what its data version cost."""

from pathlib import Path
from typing import Any

from pipelines.shared.record import Record
from pipelines.steps.versions import VERSIONS
from services.codestore import CodeStore
from services.lineage import Made, Origin, origin_of
from services.lineage.origin import MOST_FILES, Cost
from taxohash.datasets.cost import cost_beside, objects
from taxohash.datasets.identity import TrackedFile, tracked
from taxohash.generation.manifest import Generation
from taxohash.runtime.configuration import plain, read


def origin(
    store: CodeStore,
    collection: str,
    record: Record,
    generation: Generation,
    files: dict[str, TrackedFile],
    image: str,
    config: str,
) -> Origin:
    """What is known of a generation when it is sealed.

    Args:
        files: of the data version.
        image: in which the steps run.
        config: of the hasher, as JSON; empty where it was not trained.
    """
    begun, data, champion, judged, made = (
        record.noted(name) for name in ("begun", "data", "champion", "judgement", "generation")
    )
    before, kept = champion.get("data_md5", ""), objects(files)
    told: dict[str, Any] = {
        "run": record.folder.name,
        "pipeline": begun.get("pipeline", ""),
        "begun": begun.get("time", 0.0),
        "made": plain(Made.of(generation)),
        "image": image,
        "configuration": config,
        "champion": champion.get("id", ""),
        "data_before": before,
        "changes": data.get("changes", {}),
        "files": kept if len(kept) <= MOST_FILES else {},
        "comparison": record.noted("comparison").get("page", ""),
        "place": made.get("place", ""),
    }
    judgement = ("against", "verdict", "reason", "compared", "findings", "report")
    told |= {name: judged[name] for name in judgement if name in judged}
    known = _files_before(store, collection, record, told["champion"], before)
    if known:
        told["cost"] = plain(Cost(**cost_beside(known, files).as_dict()))
    return read(Origin, told)


def _files_before(
    store: CodeStore, collection: str, record: Record, champion: str, data_md5: str
) -> dict[str, int]:
    """The files of the champion's data version by their md5: as its own run noted them, else of its folder where it was pulled."""
    if not champion:
        return {}
    own = origin_of(store, collection, champion)
    if own is not None and own.files and own.made.data_md5 == data_md5:
        return own.files
    folder: Path = record.folder.parents[1] / VERSIONS / data_md5.removesuffix(".dir")
    return objects(tracked(folder)) if data_md5 and folder.is_dir() else {}
