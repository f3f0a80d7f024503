"""Patience with places that do not answer."""

from services.codestore.backfill.patience import FIRST_SECONDS, MOST_SECONDS, Patience
from services.codestore.records import Lacking

ITEM = Lacking("item", 1, "u", "")


class Clock:
    now = 5.0

    def __call__(self) -> float:
        return self.now


def test_a_picture_is_asked_for_ever_more_seldom_until_its_place_answers() -> None:
    clock = Clock()
    patience = Patience(clock)
    assert patience.next() == float("inf")
    for seconds in (2.0, 4.0, 8.0, 16.0, 32.0, MOST_SECONDS, MOST_SECONDS):
        assert patience.unanswered(ITEM) == (seconds == FIRST_SECONDS)
        assert patience.next() == clock.now + seconds
        assert patience.knows(ITEM)
        assert not patience.due()
        assert not patience.knows(Lacking("item", 2, "another", ""))
        clock.now += seconds - 0.01
        assert not patience.due()
        clock.now += 0.01
        assert patience.due() == {("item", 1)}
    patience.answered(ITEM)
    patience.unanswered(ITEM)
    assert patience.next() == clock.now + FIRST_SECONDS


def test_what_lacks_no_more_is_forgotten() -> None:
    clock = Clock()
    patience = Patience(clock)
    patience.unanswered(ITEM)
    clock.now += 10.0
    assert patience.next() < clock.now
    clock.now += 2 * MOST_SECONDS  # no pass has met it
    assert patience.next() == float("inf")
    patience.answered(ITEM)
