"""Data versions that DVC pushed to a real S3 server, pulled without it: what is wrong there is one line, and leaves nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.shared.versions import pull
from pipelines.shared.versions.remote import Remote, object_name
from services.codestore.places import Place
from taxohash.datasets.identity import directory_md5
from taxohash.errors import TaxohashError
from tests.support.cut_connections import cut_connections
from tests.support.dvc_remote import push
from tests.support.s3 import BUCKET, S3
from tests.support.seaweed import seaweed
from tests.support.tiny import make_tiny

pytestmark = pytest.mark.system
REMOTE = f"s3://{BUCKET}/data/sets"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as found:
        yield found


@pytest.fixture(scope="module")
def version(server: S3, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A data set, with a file of half a megabyte beside it, pushed by DVC."""
    folder = tmp_path_factory.mktemp("pushed")
    data = make_tiny(folder / "tiny")
    (data / "large.bin").write_bytes(b"0123456789abcdef" * 32_768)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        md5 = push(data, REMOTE, folder / "project")
    assert md5 == directory_md5(data)
    return md5


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def reader(server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that may only read is all that a pull needs."""
    use(monkeypatch, server.environment(server.reader))


def use(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def refused(version: str, home: Path, remote: str = REMOTE) -> str:
    with pytest.raises(TaxohashError) as caught:
        pull(version, remote, home)
    assert "\n" not in str(caught.value)
    assert not (home / version.removesuffix(".dir")).exists()
    assert {path.name for path in home.rglob(".*")} <= {".lock"}
    return str(caught.value)


def test_what_dvc_pushed_is_pulled(version: str, home: Path) -> None:
    assert directory_md5(pull(version, REMOTE, home)) == version
    assert directory_md5(pull(version, f"{REMOTE}/", home.with_name("other"))) == version


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("reader-key", "wrong"), "SignatureDoesNotMatch"),
        (("nobody", "wrong"), "InvalidAccessKeyId"),
        (("stranger-key", "stranger-secret"), "AccessDenied"),
    ],
)
def test_wrong_keys(
    server: S3, version: str, home: Path, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, str], said: str
) -> None:
    use(monkeypatch, server.environment(keys))
    assert f"{REMOTE} cannot be used ({said}): use an account that may read" in refused(version, home)


def test_no_keys(version: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(home))
    assert "no keys are set" in refused(version, home)


def test_nothing_there(version: str, home: Path) -> None:
    assert "there is no such bucket" in refused(version, home, "s3://nobodys/data")
    assert f"s3://{BUCKET}/elsewhere does not have files/md5/" in refused(
        version, home, f"s3://{BUCKET}/elsewhere"
    )
    assert f"{REMOTE} does not have files/md5/00/" in refused("0" * 32 + ".dir", home)


@pytest.mark.parametrize("harm", ["removed", "tampered with"])
def test_an_object_that_is_wrong(server: S3, version: str, home: Path, tmp_path: Path, harm: str) -> None:
    whole = pull(version, REMOTE, tmp_path / "whole")
    file = next(
        path
        for path in (tmp_path / "whole" / "files").rglob("*")
        if path.is_file() and path.samefile(whole / "test.parquet")
    )
    key = "data/sets/" + file.relative_to(tmp_path / "whole").as_posix()
    data = file.read_bytes()
    client = server.client()
    if harm == "removed":
        client.delete_object(Bucket=BUCKET, Key=key)
    else:
        client.put_object(Bucket=BUCKET, Key=key, Body=data[:-5] + b"tamp" + data[-1:])
    try:
        said = refused(version, home)
    finally:
        client.put_object(Bucket=BUCKET, Key=key, Body=data)
    assert ("does not have" if harm == "removed" else "is damaged") in said
    assert directory_md5(pull(version, REMOTE, home)) == version


def test_a_server_that_is_gone(server: S3, version: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, server.environment(port=9))
    assert "start its server, or correct the address" in refused(version, home)


def test_connections_that_are_cut(
    server: S3, version: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of the large file, whenever it is tried; then the rest comes by the open way."""
    with cut_connections(server.port, received=200_000) as port:
        use(monkeypatch, server.environment(port=port))
        assert f"DVC remote {REMOTE} cannot be used" in refused(version, home)
    use(monkeypatch, server.environment())
    assert directory_md5(pull(version, REMOTE, home)) == version


def test_what_has_come_is_told(version: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    def fetch(self: Remote, md5: str, file: Path, _: object) -> None:
        Place.fetch(self._place, object_name(md5), file, told.append)

    monkeypatch.setattr(Remote, "fetch", fetch)
    folder = pull(version, REMOTE, home)
    assert sum(told) == sum(file.stat().st_size for file in folder.iterdir())
    assert len(told) > len(list(folder.iterdir()))
