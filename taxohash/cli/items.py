"""Items of a running service: put, deleted, and what is similar to one."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from taxohash.cli.service import client_of, tell_refused
from taxohash.client import Refusal, RequestRefusedError, Upload, Uploaded, of_folder
from taxohash.errors import TaxohashError
from taxohash.runtime.terminal import printable


def put(url: str, uploads: Sequence[Upload], journal: Path | None, at_once: int, as_json: bool) -> bool:
    """Put them and say what became of them; whether all were taken."""
    with client_of(url) as client:
        told = client.put_many(uploads, journal=journal, at_once=at_once, progress=True)
    if as_json:
        print(json.dumps(_as_json(told)))
    else:
        before = f", {told.before:,} before" if told.before else ""
        print(f"{told.put:,} items put{before}, {len(told.refused):,} refused")
    return not tell_refused((item_id, refusal.sentence) for item_id, refusal in told.refused.items())


def uploads_of(
    sources: Sequence[Path],
    item_id: str | None,
    prefix: str,
    labels: Sequence[str],
    tags: Sequence[str],
    folders_are_labels: bool,
) -> list[Upload]:
    """The items of files and folders: the id of a file is its name, of one in a folder its path below it.

    Raises:
        TaxohashError: an id for more than one picture, no such folder, or one without pictures.
    """
    if item_id is not None and (len(sources) != 1 or sources[0].is_dir()):
        raise TaxohashError("--id names one item: give one picture with it, or --prefix for several")
    return [
        Upload(upload.id, upload.picture, labels=(*upload.labels, *labels), tags=tags)
        for upload in _found(sources, item_id, prefix, folders_are_labels)
    ]


def _found(
    sources: Sequence[Path], item_id: str | None, prefix: str, folders_are_labels: bool
) -> Iterator[Upload]:
    for source in sources:
        if source.is_dir():
            yield from of_folder(source, prefix, folders_are_labels=folders_are_labels)
        else:
            yield Upload(prefix + (source.name if item_id is None else item_id), source)


def delete(url: str, ids: Sequence[str], as_json: bool) -> bool:
    """Delete them and say what became of each; whether all were there."""
    refused: list[tuple[str, str]] = []
    with client_of(url) as client:
        for item_id in ids:
            try:
                told = client.delete(item_id)
            except RequestRefusedError as error:
                if error.status not in (400, 404):  # of the others nothing else would become
                    raise
                refused.append((item_id, str(error)))
                continue
            if as_json:
                print(json.dumps({"id": told.id, "pictures": told.pictures, "token": told.token}))
            else:
                later = "" if told.pictures == "removed" else ", its pictures later"
                print(f"{printable(told.id)}: deleted{later}")
    return not tell_refused(refused)


def _as_json(told: Uploaded) -> dict[str, object]:
    def problem(refusal: Refusal) -> dict[str, object]:
        return {"status": refusal.status, "reason": refusal.reason, "sentence": refusal.sentence}

    refused = {item_id: problem(refusal) for item_id, refusal in told.refused.items()}
    return {"put": told.put, "before": told.before, "refused": refused}
