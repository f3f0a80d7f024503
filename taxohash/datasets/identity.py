"""The identity of a data set folder: the directory md5 that DVC writes into a .dvc file."""

import hashlib
import json
from operator import itemgetter
from pathlib import Path


def directory_md5(folder: Path) -> str:
    """md5 of a folder's content as `dvc add` computes it, e.g. '7c9c….dir'.

    It is the md5 of the JSON list of {md5, relpath} over all files, ordered by relative path
    (dvc-data's tree object). Names count, times and modes do not.
    """
    entries = []
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "md5").hexdigest()
            entries.append({"md5": digest, "relpath": file.relative_to(folder).as_posix()})
    entries.sort(key=itemgetter("relpath"))
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"
