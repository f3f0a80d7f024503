"""From where the picture of an item is read, and in which order."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from services.codestore.pictures import DamagedPictureError, MissingPictureError, Pictures, digest_of
from services.codestore.pictures.sources import PictureSources
from services.codestore.pictures.uris import RefusedUriError
from taxohash.errors import TaxohashError


@dataclass(frozen=True)
class Named:
    id: str
    picture: str = ""
    uri: str = ""


@pytest.fixture
def sources(tmp_path: Path) -> PictureSources:
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a").write_bytes(b"by uri")
    (tmp_path / "secret").write_bytes(b"secret")
    environment = {
        "TAXOHASH_PICTURES": str(tmp_path / "store"),
        "TAXOHASH_URI_PREFIXES": str(tmp_path / "open"),
    }
    return PictureSources.from_environment(environment, {"in the set": b"by id"}.get)


@pytest.fixture
def pictures(tmp_path: Path, sources: PictureSources) -> Pictures:
    return Pictures.open(tmp_path / "store")


def test_by_content_then_of_the_data_set_then_by_uri(
    sources: PictureSources, pictures: Pictures, tmp_path: Path
) -> None:
    uri = str(tmp_path / "open" / "a")
    assert sources.read(Named("in the set", pictures.put(b"by content"), uri)) == b"by content"
    assert sources.read(Named("in the set", "", uri)) == b"by id"
    assert sources.read(Named("other", "", uri)) == b"by uri"


def test_a_picture_that_the_store_lost_is_read_elsewhere_if_it_is_the_same(
    sources: PictureSources, pictures: Pictures, tmp_path: Path
) -> None:
    uri = str(tmp_path / "open" / "a")
    assert sources.read(Named("x", digest_of(b"by uri"), uri)) == b"by uri"
    assert sources.read(Named("in the set", digest_of(b"by id"))) == b"by id"
    with pytest.raises(TaxohashError, match=r"item 'x' names picture .*, found is"):
        sources.read(Named("x", digest_of(b"another"), uri))


def test_what_cannot_be_read_is_told(sources: PictureSources, pictures: Pictures, tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="item 'x' has no picture: give it one, or a URI"):
        sources.read(Named("x"))
    with pytest.raises(MissingPictureError):
        sources.read(Named("x", digest_of(b"lost")))
    with pytest.raises(RefusedUriError):
        sources.read(Named("x", "", str(tmp_path / "secret")))
    name = pictures.put(b"whole")
    (tmp_path / "store" / name[:2] / name[2:]).write_bytes(b"damaged")
    with pytest.raises(DamagedPictureError):
        sources.read(Named("in the set", name))
