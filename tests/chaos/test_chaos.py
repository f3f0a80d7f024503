"""The harness tells a store that is wrong from one that is right; and a short run of it."""

import itertools
import random
from contextlib import suppress
from pathlib import Path

import pytest

from services.codestore import CodeStore
from taxohash.errors import TaxohashError
from tests.chaos.__main__ import table
from tests.chaos.check import check_at_rest, settle
from tests.chaos.curator import Backfill, Curator
from tests.chaos.faulty import DEFECTS, Defect, FaultyConnection
from tests.chaos.invariants import Violation
from tests.chaos.ledger import Ledger
from tests.chaos.readers import following
from tests.chaos.run import run
from tests.chaos.writer import Settings, Writer

KINDS = {"drops": "missing", "doubles": "duplicate", "resurrects": "phantom", "mixes": "malformed"}


def violations(folder: Path, defect: Defect | None, one_in: int, rounds: int) -> tuple[int, list[Violation]]:
    """How often a store in memory was wrong, and what was seen of it, up to the kind that it should show."""
    right = CodeStore.connect("memory://")
    curator, backfill, ledger = Curator(right, seed=1), Backfill(right), Ledger(folder)
    curator.prepare()
    curator.build(encoded=True)
    curator.build(encoded=True)  # two of the same width are live
    faulty = FaultyConnection(right._connection, defect or "drops", one_in if defect else 10**12, seed=2)
    writers = [Writer(CodeStore(faulty), Settings("", name, str(folder), 3, most=5)) for name in ("w1", "w2")]
    look, found = following(right, ledger), []
    for _ in range(rounds):
        for _, writer in itertools.product(range(50), writers):
            writer.step()
        backfill.attempt(backfill.round)
        ledger.update()
        found += [*check_at_rest(right, ledger), *look()]
        if defect and any(violation.kind == KINDS[defect] for violation in found):
            break
        settle(right, ledger)
        with suppress(TaxohashError):
            curator.act()
    return faulty.done, found


def test_a_right_store_has_no_violation(tmp_path: Path) -> None:
    assert violations(tmp_path, None, 1, rounds=6) == (0, [])


@pytest.mark.parametrize(
    "defect",
    [pytest.param(defect, marks=pytest.mark.slow if defect == "drops" else ()) for defect in DEFECTS],
)
def test_a_wrong_store_is_caught(tmp_path: Path, defect: Defect) -> None:
    done, found = violations(tmp_path, defect, 1000 if defect == "drops" else 100, rounds=100)
    assert done
    assert KINDS[defect] in {violation.kind for violation in found}, found
    if defect == "mixes":
        assert any("mixes generations" in violation.text for violation in found)


@pytest.mark.system
@pytest.mark.parametrize("scenario", ["valkey", pytest.param("cluster", marks=pytest.mark.slow)])
def test_a_short_run(scenario: str) -> None:
    outcome = run(scenario, seed=random.randrange(10**6), seconds=5.0)
    assert outcome.good, table(outcome)
    assert outcome.counts["acknowledged"]
    assert outcome.counts["checks at rest"]
