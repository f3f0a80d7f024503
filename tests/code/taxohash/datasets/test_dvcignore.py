"""What DVC takes of a folder, against DVC's own filter on many trees."""

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from dvc.fs import LocalFileSystem
from dvc.ignore import DvcIgnoreFilter
from dvc_data.hashfile.build import IgnoreInCollectedDirError
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from taxohash.datasets.dvcignore import tracked_files
from taxohash.errors import TaxohashError

NAMES = ("a", "b.png", ".cache", "build", "a b", "#c", "!d", "[e]", "é", ".git", ".hg", ".dvc", ".DS_Store")
RULES = (
    *(
        "a",
        "/a",
        "a/",
        "*.png",
        "!b.png",
        "data/a",
        "/data/",
        "!/data/",
        "**/a",
        "a/**",
        "**/build/",
        "data/**/a",
    ),
    *(
        "*",
        "!*",
        "*/",
        "**",
        "[e]",
        "\\[e\\]",
        "\\#c",
        "\\!d",
        "# c",
        "",
        "  a  ",
        "a\\ ",
        "a b",
        "/",
        "é",
        "?",
        "[ab]",
    ),
    *(
        ".cache",
        "!.cache/",
        "!.git",
        "!.dvc/",
        ".dvcignore",
        "data/a/b.png",
        "!data/a/",
        "[z-a]",
        "sub",
        "a*/",
        "***",
    ),
)

paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
rules = st.lists(st.sampled_from(RULES) | st.text("ab*/!.?[]\\# ", min_size=1, max_size=5), max_size=4)


def make(root: Path, files: list[str], ignores: dict[str, list[str]]) -> Path:
    """A DVC repository with a folder `data` of these files, and a .dvcignore in each of these folders."""
    (root / ".dvc").mkdir()
    (root / "data").mkdir()
    texts = {f"data/{file}": file for file in files}
    texts |= {f"{folder}/.dvcignore": "\n".join(lines) for folder, lines in ignores.items()}
    for name, text in texts.items():
        file = root / name
        if not any(parent.is_file() for parent in file.parents) and not file.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return root / "data"


def by_dvc(folder: Path) -> set[str]:
    """The files that DVC collects below a folder.

    Raises:
        IgnoreInCollectedDirError: as DVC does.
    """
    local = LocalFileSystem()
    ignore = DvcIgnoreFilter(local, str(folder.parent))
    if ignore.is_ignored(local, str(folder)):
        return by_dvc_outside(folder)
    found = set()
    for here, _, files in ignore.walk(local, str(folder)):
        if ".dvcignore" in files:
            raise IgnoreInCollectedDirError(".dvcignore", here)
        found |= {os.path.relpath(os.path.join(here, name), folder) for name in files}
    return found


def by_dvc_outside(folder: Path) -> set[str]:
    """As if the repository had no .dvcignore beside the folder."""
    rules = folder.parent / ".dvcignore"
    hidden = rules.rename(folder.parent / "rules")
    try:
        return by_dvc(folder)
    finally:
        hidden.rename(rules)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.lists(paths, max_size=8),
    top=rules,
    nested=st.dictionaries(st.sampled_from(["data/a", "data/build", "data"]), rules, max_size=2),
)
@example([".cache/huggingface/x", "train.parquet"], [".cache"], {})
@example(["a/a", "a/b.png"], ["data/a/*", "!data/a/b.png"], {})
@example(["a/b.png", "a/c/b.png"], [], {"data/a": [".dvcignore", "/b.png"]})
@example(["a/.dvc/config", "a/x", "b.png"], [], {})
@example(["a/[e]", "a/e", "a/#c", "a/!d"], [], {"data/a": [".dvcignore", "\\[e]", "\\[e\\]", "\\#c", "\\!d"]})
@example(["a/b.png", "a/a/b.png"], [], {"data/a": [".dvcignore", "*.png", "!a/b.png"]})
@example(["a b/x", "a"], ["a b/", "  a  "], {})
def test_the_files_are_those_that_dvc_takes(
    files: list[str], top: list[str], nested: dict[str, list[str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = make(Path(folder).resolve(), files, {".": top} | nested)
        assume(not (data / ".dvc").exists())  # another repository, which DVC does not add to this one
        try:
            expected = by_dvc(data)
        except IgnoreInCollectedDirError:
            with pytest.raises(TaxohashError, match="lies inside the data, where DVC takes none"):
                list(tracked_files(data))
            return
        except (ValueError, re.error):  # what DVC dies of need not be refused, but in one line if it is
            with suppress(TaxohashError):
                list(tracked_files(data))
            return
        assert {str(file.relative_to(data)) for file in tracked_files(data)} == expected


@pytest.mark.parametrize("rule", ["data", "/data/", "*"])
def test_where_the_folder_itself_is_left_out_the_rules_above_it_do_not_hold(
    tmp_path: Path, rule: str
) -> None:
    data = make(tmp_path, ["a.png", ".git/config", "b/.dvc/config"], {".": [rule, "*.png"]})
    assert [file.relative_to(data) for file in tracked_files(data)] == [Path("a.png")]


def test_outside_a_repository_only_dvcs_own_rules_hold(tmp_path: Path) -> None:
    for name in ("data/a.png", "data/.hg/x", "data/c/.git", ".dvcignore"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("*.png")
    assert list(tracked_files(tmp_path / "data")) == [tmp_path / "data" / "a.png"]


@pytest.mark.parametrize(
    ("content", "said"), [(b"\xff", "cannot be read"), (b"a\n!\n", "rule '!' of a .dvcignore is no pattern")]
)
def test_rules_that_are_none_are_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    data = make(tmp_path, ["a"], {})
    (tmp_path / ".dvcignore").write_bytes(content)
    with pytest.raises(TaxohashError, match=said) as refused:
        list(tracked_files(data))
    assert "\n" not in str(refused.value)


def test_what_is_no_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="cannot be read"):
        list(tracked_files(tmp_path / "nowhere"))
