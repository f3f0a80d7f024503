"""Labels of sampled queries, as a person writes them."""

from pathlib import Path

import pytest

from pipelines.capture.corrections import matched, read_corrections
from services.codestore.sampled import Kept
from taxohash.errors import TaxohashError
from tests.support.tiny import TAXONOMY

KEPT = [Kept(1, digest, "0" * 16, f"name-{digest[-1]}", 9, 1.0) for digest in ("a" * 64, "a" * 63 + "b")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.csv", "query,label\nname-a, animal/cat\n\nb0b0b0b0b0b0,animal/dog,plant/tree/oak,animal/dog\n"),
        (
            "c.jsonl",
            '{"query": "name-a", "labels": ["animal/cat"]}\n\n'
            '{"query": "b0b0b0b0b0b0", "labels": ["animal/dog", "plant/tree/oak"]}',
        ),
    ],
)
def test_both_forms_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = read_corrections(tmp_path / name, TAXONOMY)
    assert [(one.query, one.labels) for one in found] == [("name-a", (0,)), ("b0b0b0b0b0b0", (1, 2))]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.csv", "name-a,animal/cow", "line 1 of .*c.csv: taxonomy 'tiny' has no label 'animal/cow'"),
        ("c.csv", "\nname-a", "line 2 of .* gives 'name-a' no label: write the query and"),
        ("c.csv", 'name-a,"animal/cat', "line 1 of .* is not CSV"),
        ("c.csv", b"\xff,animal/cat", "is not UTF-8: write it in UTF-8"),
        ("c.jsonl", "{", "line 1 of .* is no object of JSON: write"),
        ("c.jsonl", '{"query": "a", "label": []}', "line 1 of .*: .*label"),
        ("none.csv", None, "cannot be read .No such file or directory.: give a file of corrections"),
    ],
)
def test_what_is_no_correction_is_one_line(
    tmp_path: Path, name: str, text: str | bytes | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(TaxohashError, match=said) as caught:
        read_corrections(tmp_path / name, TAXONOMY)
    assert "\n" not in str(caught.value)


def corrected(folder: Path, text: str) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    (folder / "c.csv").write_text(text)
    found, gone = matched(read_corrections(folder / "c.csv", TAXONOMY), KEPT)
    return found, [one.query for one in gone]


def test_a_query_is_named_by_its_name_or_the_beginning_of_its_digest(tmp_path: Path) -> None:
    digest = KEPT[1].digest
    assert corrected(tmp_path, f"name-a,animal/cat\n{digest},animal/dog\nlost,animal/dog") == (
        {KEPT[0].digest: (0,), digest: (1,)},
        ["lost"],
    )
    assert corrected(tmp_path, "aaaaaaaaaaa,animal/cat")[1] == ["aaaaaaaaaaa"]  # too few digits to tell
    with pytest.raises(
        TaxohashError, match=r"line 1 of .* names 'a+', which 2 queries begin with: give more"
    ):
        corrected(tmp_path, "aaaaaaaaaaaa,animal/cat")
    with pytest.raises(TaxohashError, match=r"line 2 of .* other labels than line 1 of .*: keep one of them"):
        corrected(tmp_path, f"name-a,animal/cat\n{KEPT[0].digest},animal/dog")
