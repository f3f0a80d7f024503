from collections.abc import Mapping
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import settings as catalogue
from services.retrieval.settings import Door, Limits, Settings
from taxohash.errors import TaxohashError

OWN = [own.metadata["setting"] for kind in (Settings, Limits, Door) for own in fields(kind) if own.metadata]
WHOLE = [setting.name for setting in OWN if setting.form is catalogue.WHOLE]
SECONDS = [setting.name for setting in OWN if setting.form in (catalogue.SECONDS, catalogue.MAYBE_SECONDS)]


def test_nothing_needs_to_be_set() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings.from_environment({"TAXOHASH_MAX_K": "  "}) == Settings()


def test_every_variable_is_read() -> None:
    numbers = [*SECONDS, catalogue.CANARY_SECONDS.name]
    values = {name: str(number) for number, name in enumerate([*WHOLE, *numbers], 3)}
    values |= {
        setting.name: "search" if setting is catalogue.ALLOW_ANONYMOUS else "text"
        for setting in OWN
        if setting.name not in values
    }
    read = Settings.from_environment(values)
    found = {
        own.metadata["setting"].name: getattr(part, own.name)
        for part in (read, read.limits, read.door)
        for own in fields(part)
        if own.metadata
    }
    expected: Mapping[str, object] = {
        name: float(text) if name in numbers else int(text) if name in WHOLE else text
        for name, text in values.items()
    } | {"TAXOHASH_CORS_ORIGINS": ("text",)}
    assert found == expected


def test_addresses_with_passwords_are_not_shown() -> None:
    read = Settings.from_environment({"TAXOHASH_REDIS_URL": "redis://user:hunter2@host"})
    assert "hunter2" not in repr(read)


@pytest.mark.parametrize("name", sorted(catalogue.GONE))
def test_what_closed_the_service_once_is_not_passed_over(name: str) -> None:
    with pytest.raises(TaxohashError, match=f"{name} is not read any more: make a key"):
        Settings.from_environment({name: ""})


@pytest.mark.parametrize("name", WHOLE)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_whole_numbers_from_one_or_one_line(name: str, text: str) -> None:
    plain = text.strip()
    good = plain == "" or (all(c in "0123456789" for c in plain) and len(plain) < 16 and int(plain) > 0)
    if good:
        Settings.from_environment({name: text})
    else:
        with pytest.raises(TaxohashError) as refused:
            Settings.from_environment({name: text})
        assert str(refused.value).startswith(f"{name} is ")
        assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "3601", "1e999", "ten", "1 s", "0x10"])
def test_seconds_that_cannot_be_are_one_line(name: str, text: str) -> None:
    with pytest.raises(TaxohashError, match=f"^{name} is '{text}': set it to a number of seconds"):
        Settings.from_environment({name: text})


def test_canaries_may_be_asked_never() -> None:
    name = "TAXOHASH_CANARY_SECONDS"
    for text, seconds in (("0", 0.0), ("0.5", 0.5), ("", 60.0)):
        assert Settings.from_environment({name: text}).canary_seconds == seconds
    for text in ("-1", "nan", "3601", "never"):
        with pytest.raises(TaxohashError, match=f"^{name} is '{text}': set it to a number of seconds"):
            Settings.from_environment({name: text})
