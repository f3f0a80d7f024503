"""What a version costs, beside a naive count; beside DVC itself in test_revision.py."""

import hashlib
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from taxohash.datasets.cost import Cost, cost, cost_beside, objects
from taxohash.datasets.identity import TrackedFile, tracked, tracked_md5

FOLDERS = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=2), max_size=6)


def kept(folder: dict[str, bytes]) -> set[bytes]:
    """What lies in a cache that has one version, object for object."""
    entries = [
        {"md5": hashlib.md5(data).hexdigest(), "relpath": name} for name, data in sorted(folder.items())
    ]
    return {*folder.values(), json.dumps(entries).encode()}


def files_of(folder: dict[str, bytes]) -> dict[str, TrackedFile]:
    return {
        name: TrackedFile(hashlib.md5(data).hexdigest(), len(data)) for name, data in sorted(folder.items())
    }


@given(FOLDERS, FOLDERS)
def test_counts_what_the_version_before_did_not_have(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    old, new = kept(before), kept(after)
    found = cost(files_of(before), files_of(after))
    assert found == Cost(len(new), sum(map(len, new)), len(new - old), sum(map(len, new - old)))
    assert found == cost_beside(objects(files_of(before)), files_of(after))
    assert cost(files_of(after), files_of(after)).new_bytes == 0


def test_a_renamed_file_costs_its_name_alone(tiny: Path, tmp_path: Path) -> None:
    before = tracked(tiny)
    (tiny / "train.parquet").rename(tiny / "train-00000-of-00001.parquet")
    after = tracked(tiny)
    found = cost(before, after)
    assert (found.new_files, found.new_bytes) == (1, objects(after)[tracked_md5(after)])
