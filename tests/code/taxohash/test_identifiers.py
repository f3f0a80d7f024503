import pytest

from taxohash.errors import TaxohashError
from taxohash.identifiers import MAX_BYTES, check_id


@pytest.mark.parametrize(
    "text", ["a", "line\nbreak", "\u2028\x85\t", "x" * MAX_BYTES, "é" * (MAX_BYTES // 2)]
)
def test_any_utf8_is_an_identifier(text: str) -> None:
    assert check_id(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "id '' has 0 bytes"),
        ("x" * (MAX_BYTES + 1), r"id 'x{40}\.\.\.' has 1,025 bytes: give one of 1 to 1,024"),
        ("é" * (MAX_BYTES // 2) + "\n", "has 1,025 bytes"),
        ("a\ud800", r"id 'a\\ud800' is not UTF-8"),
    ],
)
def test_others_are_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(TaxohashError, match=said) as caught:
        check_id(text)
    assert "\n" not in str(caught.value)
