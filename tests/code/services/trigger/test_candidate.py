"""How a generation stands."""

import pytest

from services.runs import Outcome, Verdict
from services.trigger.candidate import Candidate
from services.trigger.records import Run, State


def candidate(champion: str, published: str, approved: str = "") -> Candidate:
    outcome = Outcome(
        run="r", pipeline="retrain", collection="c", verdict=Verdict.AWAITING, reason="so", started=1.0,
        generation="new", champion=champion, would_change="Much.", comparison="s3://c",
    )  # fmt: skip
    run = Run(name="r", pipeline="retrain", reasons=(), began=1.0, outcome=outcome, approved=approved)
    return Candidate.of("new", State(history=(run,)), published)


@pytest.mark.parametrize(
    ("champion", "published", "is_open", "said"),
    [
        ("old", "old", True, "awaiting approval: so"),
        ("", "", True, "awaiting approval: so"),  # the first of all
        ("old", "newer", False, "compared with old, and newer is published"),
        ("", "newer", False, "compared with no other, and newer is published"),
        ("old", "", False, "compared with old, and none is published"),
        ("old", "new", False, "published already"),
    ],
)
def test_it_is_open_as_long_as_what_it_was_compared_with_is_published(
    champion: str, published: str, is_open: bool, said: str
) -> None:
    found = candidate(champion, published)
    assert found.is_open is is_open
    assert said in found.said()


def test_one_of_which_no_run_is_known_may_be_approved() -> None:
    found = Candidate.of("other", State(), "old")
    assert (found.is_open, found.champion, found.compared) == (True, None, ())
    assert not Candidate.of("other", State(), "other").is_open


def test_who_approved_it_is_told() -> None:
    assert candidate("old", "new", "Ada").said() == "It is published already, by Ada."


def test_what_it_would_change_is_shown_to_who_approves() -> None:
    facts = candidate("old", "old").facts("birds")
    assert (facts["What it would change"], facts["Comparison"]) == ("Much.", "s3://c")
