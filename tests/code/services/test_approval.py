"""Links to approve: ours, whole, of one generation, and for a time."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import approval
from taxohash.errors import TaxohashError

SECRET = "a secret of the trigger"


def parts(link: str) -> dict[str, str]:
    return {
        name: values[0] for name, values in parse_qs(urlsplit(link).query, keep_blank_values=True).items()
    }


@given(st.text(), st.text())
def test_a_link_is_good_until_it_expires(collection: str, generation: str) -> None:
    sent = parts(approval.link("https://trigger.example/", collection, generation, SECRET, 100.5))
    approval.check(**sent, secret=SECRET, now=99.0)
    with pytest.raises(TaxohashError, match="expired"):
        approval.check(**sent, secret=SECRET, now=100.0)


@pytest.mark.parametrize("name", ["collection", "generation", "expires", "signature"])
@pytest.mark.parametrize("value", ["", "0", "other", "999999999999", "-5", "\ud800", "٣"])
def test_a_link_of_which_anything_was_changed_is_none(name: str, value: str) -> None:
    sent = parts(approval.link("https://trigger.example", "birds", "gen", SECRET, 100.0)) | {name: value}
    with pytest.raises(TaxohashError, match="not made here"):
        approval.check(**sent, secret=SECRET, now=0.0)


def test_a_link_of_another_secret_is_none() -> None:
    sent = parts(approval.link("https://trigger.example", "birds", "gen", SECRET, 100.0))
    with pytest.raises(TaxohashError, match="not made here"):
        approval.check(**sent, secret=SECRET + "x", now=0.0)


def test_parts_cannot_be_moved_from_one_to_the_next() -> None:
    one = parts(approval.link("", "a", "bc", SECRET, 100.0))
    other = parts(approval.link("", "ab", "c", SECRET, 100.0))
    assert one["signature"] != other["signature"]
