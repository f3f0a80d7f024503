import pytest

from taxohash.errors import TaxohashError
from taxohash.runtime.tracked import named_md5, tracked_at

OURS, THEIRS = (f"{letter * 32}.dir" for letter in "ab")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_md5_of_a_folder(end: str) -> None:
    assert (
        named_md5(end.join(["outs:", f"- md5: {OURS}", "  hash: md5", "  path: data", ""]), "data.dvc")
        == OURS
    )


@pytest.mark.parametrize(
    "text",
    [
        f"md5: {'c' * 32}\nfrozen: true\ndeps:\n- md5: {THEIRS}\n  path: s3://there\nouts:\n- md5: {OURS}\n  path: data\n",
        f"outs:\n- md5: {OURS}\n  path: data\ndeps:\n- md5: {THEIRS}\n  path: s3://there\n",
        f"outs:\n- md5: {OURS}\n  path: data\n\ndeps:\n- md5: {THEIRS}\n  path: s3://there\n",
        f"outs:\n  - path: data\n    hash: md5\n    md5: {OURS}",
        f"# ours\nouts:\n\n- md5: {OURS}\n  path: data\nmeta:\n  md5: {THEIRS}\n",
    ],
    ids=["import", "import, outs first", "and set apart", "as others lay it out", "with more in it"],
)
def test_only_what_comes_out_counts(text: str) -> None:
    assert named_md5(text, "data.dvc") == OURS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "data.dvc names no folder's md5: make it with `dvc add`"),
        (f"outs:\n- md5: {'a' * 32}\n", "names no folder's md5"),
        (f"outs:\n- md5: {OURS}\n=======\n- md5: {THEIRS}\n", f"names {OURS} and {THEIRS}: keep the one"),
    ],
)
def test_what_names_none_or_two(text: str, said: str) -> None:
    with pytest.raises(TaxohashError, match=said):
        named_md5(text, "data.dvc")


@pytest.mark.parametrize(
    ("revision", "meant"),
    [
        ("main", ("main", "data")),
        ("HEAD~1:sets/birds", ("HEAD~1", "sets/birds")),
        ("v2:sets/birds.dvc", ("v2", "sets/birds")),
        (":sets/birds", ("HEAD", "sets/birds")),
    ],
)
def test_the_folder_that_a_revision_means(revision: str, meant: tuple[str, str]) -> None:
    assert tracked_at(revision) == meant
