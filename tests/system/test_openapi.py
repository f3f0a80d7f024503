"""The API as its description says it is: schemathesis asks a real service everything that the description has, and goes along its links.

A short run, whose seed says all that is asked, and a long one. `positive_data_acceptance` alone is left out: that a text is a node of the
taxonomy, or a code of the generation, no schema can say.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.codestore import EmbeddedServer
from taxohash.generation.hasher import Hasher
from tests.support.backfills import hashers_in
from tests.support.keyring import Keyring
from tests.support.serving import ROOT, Service, environment, pictures_of, publish, serving

pytestmark = pytest.mark.system

CONFIGURATION = """
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "414", "415", "422", "429", "431", "503"]

# A batch is answered, and what is none of its kind refused by itself: tests/code/services/retrieval/routes/test_items.py, test_query.py.
[[operations]]
include-name = ["POST /v1/items", "POST /v1/encode"]
[operations.checks.negative_data_rejection]
expected-statuses = ["200", "400", "401", "403", "404", "405", "409", "413", "414", "415", "422", "429", "431", "503"]
"""


@pytest.fixture(scope="module")
def hashers(tmp_path_factory: pytest.TempPathFactory) -> list[Hasher]:
    return hashers_in(tmp_path_factory.mktemp("openapi") / "generations")


@pytest.fixture(scope="module")
def variables(hashers: list[Hasher], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of a service over a store."""
    with EmbeddedServer(tmp_path_factory.mktemp("valkey")) as server:
        publish(server.url, hashers[0].folder)
        yield environment(
            server.url,
            tmp_path_factory.mktemp("home"),
            TAXOHASH_ADMIN_REDIS_URL=server.url,
            TAXOHASH_PICTURES=str(pictures_of(hashers[0].folder)),
            TAXOHASH_GENERATIONS=str(hashers[0].folder.parent),
        )


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def keyed(
    hashers: list[Hasher],
    variables: dict[str, str],
    keyring: Keyring,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """A service that asks for keys."""
    own = variables | {"TAXOHASH_API_KEYS_FILE": str(keyring.path)}
    with serving(str(hashers[0].folder), own, tmp_path_factory.mktemp("keyed")) as started:
        yield started


@pytest.fixture(scope="module")
def opened(
    hashers: list[Hasher], variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """One on loopback without keys."""
    with serving(str(hashers[0].folder), variables, tmp_path_factory.mktemp("opened")) as started:
        yield started


def attacked(service: Service, folder: Path, secret: str, phases: str, examples: int, seed: int) -> str:
    """What schemathesis says at the end, of a service in which it finds nothing."""
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    words = [
        "run", f"{service.url}/v1/openapi.json", "--checks", "all", "--exclude-checks", "positive_data_acceptance",
        "--phases", phases, "--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure", "--no-shrink",
        "--no-color", "--generation-database", "none", "--warnings", "off",
        *(["--header", f"Authorization: Bearer {secret}"] if secret else []),
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.support.api_hooks"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    log = service.log.read_text()
    assert "Traceback" not in log
    assert '"status": 500' not in log
    return done.stdout


def test_with_a_key(keyed: Service, keyring: Keyring, tmp_path: Path) -> None:
    told = attacked(keyed, tmp_path, keyring.secrets["admin"], "examples,coverage,stateful", 20, seed=1)
    assert linked(told) >= 4


@pytest.mark.slow
def test_without_keys(opened: Service, tmp_path: Path) -> None:
    told = attacked(opened, tmp_path, "", "stateful", 10, seed=2)
    assert linked(told) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("role", ["search", "write", "admin", ""])
def test_at_length(keyed: Service, opened: Service, keyring: Keyring, tmp_path: Path, role: str) -> None:
    service, secret = (keyed, keyring.secrets[role]) if role else (opened, "")
    attacked(service, tmp_path, secret, "examples,coverage,fuzzing,stateful", 60, seed=3)


def linked(told: str) -> int:
    """Links that were gone along."""
    found = re.search(r"API Links: +(\d+) covered", told)
    assert found, told
    return int(found[1])
