"""The state of a backfill in words."""

import pytest

from pipelines.backfill.told import duration, lines
from services.codestore.backfill.status import BackfillStatus, GenerationStatus
from services.codestore.quarantine import Quarantined


def test_what_is_told_of_one_that_is_being_encoded() -> None:
    bad = tuple(Quarantined(f"item {i}", 1, "it is none", 1) for i in range(30))
    busy = GenerationStatus("g", "published", 1500, 1000, 300, 30, 170, "here:1", 2.5, 120.0, bad)
    idle = GenerationStatus("h", "sealed", 3, 3, 0, 0, 0, None, None, 0.0, ())
    told = list(lines(BackfillStatus("products", "somebody", None, (busy, idle))))
    assert told[:4] == [
        "g (published): 1,000 of 1,500 items have a code, 300 wait, 30 are in quarantine, 170 have no picture, "
        "encoded by here:1, 2.5 a second, 2 min 0 s left",
        "h (sealed): 3 of 3 items have a code",
        "collection products is followed by nobody",
        "paused by somebody: --resume has it go on",
    ]
    assert told[4] == "quarantined in g: item 'item 0': it is none"
    assert told[-1] == "quarantined in g: 10 more, --json lists them"
    assert len(told) == 4 + 20 + 1


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"), (1e7, "2,777 h 46 min")],
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told
