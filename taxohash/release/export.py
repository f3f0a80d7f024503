"""From an evaluated run to a generation: the hasher as ONNX, the codes it makes, and the manifest."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from taxohash.datasets import Dataset
from taxohash.datasets.layout import outside
from taxohash.datasets.splits import indexed_splits
from taxohash.evaluation.report.read import REPORT, queries_of, read_report
from taxohash.generation.manifest import MANIFEST, file_sha256
from taxohash.release.build import build, sound
from taxohash.release.draft import draft_of_run
from taxohash.release.shards import encode
from taxohash.release.signing import SigningKey, sign
from taxohash.runtime.atomic import writable
from taxohash.runtime.provenance import UNKNOWN, revision
from taxohash.training.run import WEIGHTS, Run


def export(
    folder: str | Path,
    out: str | Path,
    data: str | Path | None = None,
    splits: Sequence[str] = (),
    key: SigningKey | None = None,
) -> Path:
    """Make a generation of an evaluated run below `out`, unless it is there; its directory, named by its id.

    The exported hasher itself encodes the database, so that codes at rest and codes of queries come
    from one engine.

    Args:
        splits: whose images can be found; all but `canary` if none is named.
        key: that it is signed with, also where it was there before; none: it is left as it is.

    Raises:
        TaxohashError: no finished or evaluated run, other data, a split that cannot be indexed, or an exported model
            that disagrees.
    """
    run = Run.open(folder)
    dataset = run.dataset(data)
    queries_of(read_report(folder))
    indexed = indexed_splits(dataset, splits)
    database = [{"split": split, "rows": dataset.count(split)} for split in indexed]
    root = writable(outside(Path(out), dataset.folder))
    made = _made_before(run, database, root) or _made(run, dataset, indexed, root)
    if key is not None:
        sign(made, key)
    return made


def _made(run: Run, dataset: Dataset, indexed: Sequence[str], root: Path) -> Path:
    with TemporaryDirectory(prefix=".draft-", dir=root) as beside:
        draft = draft_of_run(run, dataset, Path(beside) / "draft")
        codes = encode(draft.model(), draft.preprocessing, dataset, indexed)
        return build(draft, dataset, indexed, codes, root)


def _made_before(run: Run, database: list[dict[str, Any]], root: Path) -> Path | None:
    """The generation below `root` that this very code made of this very run, with the codes of these splits."""
    code_revision = run.provenance | {"export": revision()["commit"]}
    if code_revision["export"].endswith(("-dirty", UNKNOWN)):  # may be any code
        return None
    sources = {name: file_sha256(run.folder / name) for name in (WEIGHTS, REPORT)}
    for manifest in sorted(root.glob(f"[!.]*/{MANIFEST}")):
        made = sound(manifest.parent)
        same = made and (made.code_revision, made.database) == (code_revision, database)
        if made and same and sources.items() <= made.files.items():
            return manifest.parent
    return None
