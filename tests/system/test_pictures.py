"""The store of pictures in a folder, in memory, and on a real S3 server; and what each of them can refuse."""

import itertools
import socket
from pathlib import Path

import pytest

from services.codestore.connection import StoreUnavailableError
from services.codestore.pictures import DamagedPictureError, MissingPictureError, Pictures, digest_of
from services.codestore.pictures.uris import UriReader, parse_prefixes
from services.codestore.places import Place
from taxohash.errors import TaxohashError
from tests.support.cut_connections import cut_connections
from tests.support.s3 import BUCKET, S3

pytestmark = pytest.mark.system
PREFIXES = (f"prefix{number}" for number in itertools.count())
MANY = [bytes([value % 256, value // 256]) for value in range(0, 3000, 100)]


@pytest.fixture
def pictures(address: str) -> Pictures:
    return Pictures.open(address, limit=1 << 20)


def test_a_picture_comes_back_under_the_name_of_its_bytes(pictures: Pictures) -> None:
    first = pictures.put(b"a picture")
    assert first == digest_of(b"a picture") == pictures.put(b"a picture")
    largest = bytes(1 << 20)
    assert pictures.get(pictures.put(largest)) == largest
    assert pictures.get(first) == b"a picture"
    assert pictures.has(first)
    assert sorted(pictures.digests()) == sorted([first, digest_of(largest)])


def test_many_come_back_in_their_order_and_are_listed_ascending(pictures: Pictures, address: str) -> None:
    names = pictures.put_many(iter(MANY))
    assert names == [digest_of(picture) for picture in MANY]
    assert list(pictures.digests()) == sorted(names)
    assert list(Pictures.open(address).digests()) == sorted(names)


def test_nothing_is_where_nothing_was_put(pictures: Pictures) -> None:
    nothing = digest_of(b"nothing")
    assert not pictures.has(nothing)
    assert list(pictures.digests()) == []
    assert pictures.sweep(set(), grace=0) == 0
    pictures.delete(nothing)
    with pytest.raises(MissingPictureError, match=f"{nothing} is not in"):
        pictures.get(nothing)


def test_deleted_pictures_are_gone_and_can_be_put_again(pictures: Pictures) -> None:
    one, other = pictures.put_many([b"one", b"other"])
    pictures.delete(one)
    assert (pictures.has(one), list(pictures.digests())) == (False, [other])
    assert pictures.get(pictures.put(b"one")) == b"one"


@pytest.mark.parametrize("found", [b"", b"x", b"a pictur", b"a picturf", bytes((1 << 20) + 1)])
def test_what_is_not_the_picture_it_is_named_after_is_an_error_that_names_it(
    pictures: Pictures, address: str, found: bytes
) -> None:
    name = pictures.put(b"a picture")
    Place.open(address, "pictures").write(f"{name[:2]}/{name[2:]}", found)
    with pytest.raises(DamagedPictureError, match=f"{name} in .* is damaged"):
        pictures.get(name)
    pictures.put(b"a picture")
    assert pictures.get(name) == b"a picture"


def test_what_nobody_uses_is_swept_when_it_is_old(pictures: Pictures, address: str) -> None:
    names = sorted(pictures.put_many(MANY))
    used = set(names[::3])
    Place.open(address, "pictures").write(f"{names[0][:2]}/README", b"not a picture")
    Place.open(address, "pictures").write("elsewhere/README", b"not a picture")
    assert pictures.sweep(used) == 0
    unused = [name for name in names if name not in used]
    assert pictures.unused(used, grace=-5) == pictures.unused(iter(sorted(used)), grace=-5) == unused
    assert pictures.sweep(iter(sorted(used)), grace=-5) == len(unused)
    assert list(pictures.digests()) == sorted(used)
    assert pictures.sweep(used, grace=-5) == 0


def test_nothing_is_deleted_for_a_list_that_is_out_of_order(pictures: Pictures) -> None:
    names = sorted(pictures.put_many(MANY))
    with pytest.raises(TaxohashError, match="comes after"):
        pictures.sweep(iter([*names[1:], names[0]]), grace=-5)
    with pytest.raises(TaxohashError, match="'README' is no name of a picture"):
        pictures.sweep(iter([*names[:-1], "README"]), grace=-5)
    assert list(pictures.digests()) == names


# -- S3 --------------------------------------------------------------------------------------------


def everything_fails(pictures: Pictures, message: str) -> None:
    some = digest_of(b"some")
    for call in (
        lambda: pictures.put(b"some"),
        lambda: pictures.get(some),
        lambda: pictures.has(some),
        lambda: list(pictures.digests()),
        lambda: pictures.delete(some),
    ):
        with pytest.raises(StoreUnavailableError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_bucket_that_is_not_there_is_told(at_s3: S3) -> None:
    everything_fails(
        Pictures.open("s3://nowhere/x"), "s3://nowhere/x cannot be used .there is no such bucket"
    )


def test_wrong_keys_are_told_and_not_shown(at_s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    key, secret = at_s3.full
    for wrong in ((key, "wrong-secret"), ("nobody", secret)):
        for name, value in at_s3.environment(wrong).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StoreUnavailableError, match="use an account that may") as caught:
            Pictures.open(f"s3://{BUCKET}").put(b"x")
        assert not any(word in str(caught.value) for word in (key, secret, "wrong-secret", "nobody"))
        everything_fails(Pictures.open(f"s3://{BUCKET}"), "use an account that may")


def test_missing_keys_are_told(at_s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreUnavailableError, match=r"no keys are set.*AWS_ACCESS_KEY_ID"):
        Pictures.open(f"s3://{BUCKET}").put(b"x")


def test_an_account_that_only_reads_is_refused_where_it_writes(
    at_s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"s3://{BUCKET}/{next(PREFIXES)}"
    name = Pictures.open(address).put(b"x")
    for variable, value in at_s3.environment(at_s3.reader).items():
        monkeypatch.setenv(variable, value)
    reading = Pictures.open(address)
    assert reading.get(name) == b"x"
    for write in (lambda: reading.put(b"y"), lambda: reading.delete(name)):
        with pytest.raises(StoreUnavailableError, match=r"AccessDenied.*use an account that may"):
            write()


def test_a_server_that_is_not_there_is_told(at_s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(StoreUnavailableError, match="start its server, or correct the address"):
            Pictures.open(f"s3://{BUCKET}").put(b"x")


def test_a_connection_that_is_cut_leaves_a_picture_whole_or_absent(
    at_s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"s3://{BUCKET}/{next(PREFIXES)}"
    here, large = Pictures.open(address), bytes(range(256)) * 2000
    assert not here.has(digest_of(large))  # finds its server now, the others find the proxies
    with cut_connections(at_s3.port, sent=100_000) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(StoreUnavailableError):
            Pictures.open(address).put(large)
    assert not here.has(digest_of(large))
    here.put(large)
    with cut_connections(at_s3.port, received=100_000) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(StoreUnavailableError):
            Pictures.open(address).get(digest_of(large))
    assert here.get(digest_of(large)) == large


def test_a_server_that_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch, at_s3: S3) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        place = Place("pictures", "s3", BUCKET, seconds=0.5)
        with pytest.raises(StoreUnavailableError, match="no answer in time"):
            place.read("x", 1)


def test_objects_below_a_named_prefix_are_read_by_their_address(at_s3: S3) -> None:
    client = at_s3.client()
    for key in ("open/a b?c#d%2F.png", "open-secret/x", "secret/x"):
        client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    reader = UriReader(parse_prefixes(f"s3://{BUCKET}/open"), limit=100)
    assert reader.read(f"s3://{BUCKET}/open/a b?c#d%2F.png") == b"open/a b?c#d%2F.png"
    for uri in (
        f"s3://{BUCKET}/open-secret/x",
        f"s3://{BUCKET}/open/../secret/x",
        f"s3://{BUCKET}-evil/open/x",
    ):
        with pytest.raises(TaxohashError):
            reader.read(uri)
    with pytest.raises(TaxohashError, match="holds nothing"):
        reader.read(f"s3://{BUCKET}/open/nothing")
    with pytest.raises(TaxohashError, match="more than 5 bytes"):
        UriReader(parse_prefixes(f"s3://{BUCKET}"), limit=5).read(f"s3://{BUCKET}/secret/x")
