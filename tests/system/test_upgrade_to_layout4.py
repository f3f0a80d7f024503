"""An upgrade into the real store: what is served afterwards is what was served before."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore import CodeStore
from services.codestore.connection import Connection
from services.codestore.pictures import Pictures
from services.codestore.upgrade import finish, upgrade
from taxohash.errors import TaxohashError
from tests.support import layout3

pytestmark = pytest.mark.system


@pytest.fixture(params=["redis_url", "redis8_url", "cluster_url"])
def url(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


@pytest.fixture
def commands(url: str) -> Iterator[Connection]:
    connection = Connection(url, 30.0)
    yield connection
    connection.close()


@pytest.mark.parametrize("name", ["small", "tall", "empty"])
def test_the_new_store_has_what_the_old_one_had(
    url: str, commands: Connection, tmp_path: Path, name: str
) -> None:
    layout3.load(commands, name)
    wanted = layout3.read()["expected"][name]
    pictures = Pictures.open(tmp_path / "pictures")
    with CodeStore.connect(url) as store:
        with pytest.raises(TaxohashError, match="upgrade"):
            store.history(name)
        upgrade(commands, store, pictures, name, who="me")
        assert store.history(name) == wanted["history"][:2]
        assert all(entry.who == "me" for entry in store.audit(name) if entry.operation == "publish")
        for item, found in zip(
            wanted["items"], store.items(name, [item["id"] for item in wanted["items"]]), strict=True
        ):
            assert found is not None
            thumbnail = pictures.get(found.thumbnail) if found.thumbnail else b""
            assert (list(found.labels), found.uri, list(found.tags)) == (
                item["labels"],
                item["uri"],
                item["tags"],
            )
            assert thumbnail == b64decode(item["thumbnail"])
        for generation in wanted["history"][:2]:
            snapshot = store.snapshot(name, generation)
            codes = {item: code.tobytes() for item, code in zip(snapshot.ids, snapshot.codes, strict=True)}
            own = wanted["generations"][generation]["codes"]
            assert codes == {item: b64decode(code) for item, code in own.items()}
        if wanted["history"][1:]:
            assert store.rollback(name) == wanted["history"][1]
        upgrade(commands, store, pictures, name)
        assert finish(commands, store, name) == len(layout3.keys_of(name))
        assert store.history(name)[:1] == (wanted["history"][1:] or wanted["history"])[:1]
