"""`taxohash serve` with a key: what is not signed does not start, is not swapped to, and the key changes while it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.codestore import CodeStore, GenerationRef, Item, data_version
from services.codestore.generation_files import GenerationFiles
from services.codestore.own import code_store
from services.codestore.taxonomies import numbers_of
from taxohash.generation.hasher import Hasher
from tests.support.own_generation import with_codes
from tests.support.signing import make_key, signed
from tests.support.waiting import until
from tests.system.test_serve_at_home import ROOT, environment, search, serving

pytestmark = [pytest.mark.system, pytest.mark.slow]
__all__ = ["environment"]  # the fixture


def publish(store: CodeStore, folder: Path) -> str:
    """Publish another generation with its codes; its id."""
    hasher = Hasher(folder)
    own = hasher.generation
    numbers = numbers_of(store, "default", hasher.taxonomy, "test")
    rows = zip(hasher.ids, hasher.labels, strict=True)
    items = [Item(name, tuple(numbers[list(labels)].tolist())) for name, labels in rows]
    ref = GenerationRef(own.id, own.bits, own.taxonomy_sha256)
    data_version.index(store, "default", ref, lambda: iter([(items, hasher.codes)]))
    store.publish("default", own.id)
    return own.id


def test_a_service_that_was_given_a_key(environment: dict[str, str], tmp_path: Path) -> None:
    (old, public), (new, of_new) = (make_key(tmp_path / name) for name in ("old.pem", "new.pem"))
    environment |= {"TAXOHASH_VERIFY_KEY": str(public), "TAXOHASH_CACHE": str(tmp_path / "cache")}
    first, second = (with_codes(tmp_path / str(seed), seed) for seed in (1, 2))
    before = Hasher(first).generation.id
    command = [sys.executable, "-m", "services.retrieval.server.main", str(first), "--port", "0"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    (told,) = [line for line in done.stderr.splitlines() if "is not signed" in line]
    assert before in told
    assert "`taxohash sign`" in told
    assert "Traceback" not in done.stderr

    log = tmp_path / "log"
    with serving(environment, str(signed(first, old)), log=log) as url, code_store(environment) as store:
        assert search(url)["generation"] == before
        files = GenerationFiles.named(environment)
        assert files
        files.put(second)
        after = publish(store, second)
        until(lambda: f"generation {after} is not signed" in log.read_text())
        assert search(url)["generation"] == before
        files.put(signed(second, new))
        until(lambda: f"generation {after} is signed by none of the keys" in log.read_text())
        assert search(url)["generation"] == before
        draft = public.with_suffix(".draft")
        draft.write_bytes(public.read_bytes() + of_new.read_bytes())
        os.replace(draft, public)
        until(lambda: search(url)["generation"] == after)
