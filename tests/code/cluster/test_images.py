"""The images of the project, for a node."""

from pathlib import Path

import pytest

from taxohash.errors import TaxohashError
from tests.cluster import images
from tests.cluster.node import Unavailable


@pytest.mark.parametrize(("code", "error"), [(77, Unavailable), (1, TaxohashError)])
def test_why_they_cannot_be_made_is_said_in_one_line(code: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^images: no Buildah$"):
        images._run(["sh", "-c", f"echo more >&2; echo images: no Buildah >&2; exit {code}"])


def test_what_says_nothing_is_named() -> None:
    with pytest.raises(TaxohashError, match=r"^false does not say why$"):
        images._run(["false"])


def test_none_is_made_where_archives_were_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_GIVEN", "/archives")
    monkeypatch.setattr(images, "_run", lambda *_, **__: pytest.fail("it was made"))
    images.make_images(print)


def test_the_same_sources_pack_the_same_generation(tmp_path: Path) -> None:
    made = images._generation(tmp_path)
    assert images._generation(tmp_path) == made
    assert (made / "generation.json").is_file()
