from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.settings import Limits, Settings
from taxohash.errors import TaxohashError

STORE = {"TAXOHASH_REDIS_URL": "redis://127.0.0.1:1"}
WHOLE = [
    "TAXOHASH_MAX_BODY_BYTES",
    "TAXOHASH_MAX_PIXELS",
    "TAXOHASH_MAX_REQUESTS",
    "TAXOHASH_THREADS",
    "TAXOHASH_MAX_K",
    "TAXOHASH_MAX_SIDE",
    "TAXOHASH_DECODERS",
]
SECONDS = ["TAXOHASH_UPLOAD_SECONDS", "TAXOHASH_ANSWER_SECONDS", "TAXOHASH_DECODE_SECONDS"]


def test_an_address_of_the_store_is_enough() -> None:
    settings = Settings.from_environment(STORE)
    assert settings == Settings(generation=None, redis_url="redis://127.0.0.1:1")
    assert settings.limits == Limits()
    assert settings.token is None


def test_every_variable_is_read() -> None:
    values = {name: str(number) for number, name in enumerate(WHOLE + SECONDS, 3)}
    settings = Settings.from_environment(
        STORE
        | values
        | {"TAXOHASH_GENERATION": "g", "TAXOHASH_COLLECTION": "c", "TAXOHASH_API_TOKEN": "secret"}
        | {"TAXOHASH_PICTURES": " s3://bucket/pictures "}
    )
    assert settings.limits == Limits(
        body_bytes=3,
        pixels=4,
        requests=5,
        threads=6,
        k=7,
        side=8,
        decoders=9,
        upload_seconds=10.0,
        answer_seconds=11.0,
        decode_seconds=12.0,
    )
    assert (settings.generation, settings.collection, settings.token) == ("g", "c", "secret")
    assert settings.pictures == "s3://bucket/pictures"
    assert "secret" not in repr(settings)


def test_without_a_store_the_message_names_the_variable() -> None:
    with pytest.raises(TaxohashError, match="TAXOHASH_REDIS_URL is not set"):
        Settings.from_environment({})


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("text", ["0", "-1", "1.5", "ten", "1e6", "１０", "9" * 20, "1_000"])
def test_numbers_that_cannot_be_are_named(name: str, text: str) -> None:
    with pytest.raises(TaxohashError, match=f"{name} is '{text}'"):
        Settings.from_environment(STORE | {name: text})


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", "3601"])
def test_times_that_cannot_be_are_named(name: str, text: str) -> None:
    with pytest.raises(TaxohashError, match=f"{name} is '{text}'"):
        Settings.from_environment(STORE | {name: text})


@given(st.dictionaries(st.sampled_from(WHOLE + SECONDS + ["TAXOHASH_API_TOKEN"]), st.text(max_size=20)))
def test_any_text_gives_settings_that_can_be_or_one_line(environment: dict[str, str]) -> None:
    try:
        limits = Settings.from_environment(STORE | environment).limits
    except TaxohashError as error:
        lines = str(error).splitlines()
    else:
        lines = [""]
        assert min(limits.body_bytes, limits.pixels, limits.requests, limits.threads, limits.k) >= 1
        assert 0 < min(limits.upload_seconds, limits.answer_seconds) <= 3600
    assert len(lines) == 1


def test_the_token_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("t0ken\n")
    settings = Settings.from_environment(
        STORE | {"TAXOHASH_API_TOKEN_FILE": str(file), "TAXOHASH_API_TOKEN": "other"}
    )
    assert settings.token == "t0ken"


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"gr\xc3\xbcn", b"\xff"])
def test_a_token_file_without_a_token_never_opens_the_service(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(TaxohashError, match="TAXOHASH_API_TOKEN_FILE"):
        Settings.from_environment(STORE | {"TAXOHASH_API_TOKEN_FILE": str(file)})


@pytest.mark.parametrize(
    "environment", [{"TAXOHASH_API_TOKEN": ""}, {"TAXOHASH_API_TOKEN_FILE": "/nowhere/token"}]
)
def test_a_token_that_is_set_but_absent_never_opens_the_service(environment: dict[str, str]) -> None:
    with pytest.raises(TaxohashError, match=next(iter(environment))):
        Settings.from_environment(STORE | environment)
