"""What a serving process is told, read once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taxohash.errors import TaxohashError

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What one request, and all requests together, may take.

    Attributes:
        body_bytes: largest request body.
        pixels: largest picture, width times height, read from its header. Only one of the largest is decoded at
            once, in up to 17 bytes a pixel and 5 times `body_bytes`: 328 MB.
        side: longest side of a picture, in pixels.
        decoders: processes for ordinary pictures, each of which takes up to 96 MiB for one.
        decode_seconds: time in which a picture that has its turn must have been decoded.
        upload_seconds: time in which a body must have arrived.
        answer_seconds: time in which a picture must have been decoded, encoded and searched.
        requests: searches under way at once; more are told to come back.
        threads: searches computed at once; the others of `requests` upload or wait.
        k: most answers to one search.
    """

    body_bytes: int = 10 * MIB
    pixels: int = 16_000_000
    side: int = 20_000
    decoders: int = 2
    decode_seconds: float = 5.0
    upload_seconds: float = 15.0
    answer_seconds: float = 10.0
    requests: int = 32
    threads: int = 2
    k: int = 1000


@dataclass(frozen=True)
class Settings:
    """One frozen record of the TAXOHASH_* variables.

    Attributes:
        generation: folder of the generation; None for the one packed in the Bento that is served.
        redis_url: of the code store.
        collection: the catalog to search.
        pictures: address of the picture store, in which thumbnails are; None for the one among the user's data.
        limits: on requests.
        token: bearer token that requests must carry, if any.
    """

    generation: str | None
    redis_url: str
    collection: str = "default"
    pictures: str | None = None
    limits: Limits = field(default_factory=Limits)
    token: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read and check every variable.

        Raises:
            TaxohashError: a required one is missing, or one has a value that cannot be.
        """
        standard = Limits()
        return cls(
            generation=environment.get("TAXOHASH_GENERATION") or None,
            redis_url=_required(
                environment, "TAXOHASH_REDIS_URL", "the code store, such as redis://127.0.0.1:6379/0"
            ),
            collection=environment.get("TAXOHASH_COLLECTION") or cls.collection,
            pictures=environment.get("TAXOHASH_PICTURES", "").strip() or None,
            limits=Limits(
                body_bytes=_whole(environment, "TAXOHASH_MAX_BODY_BYTES", standard.body_bytes),
                pixels=_whole(environment, "TAXOHASH_MAX_PIXELS", standard.pixels),
                side=_whole(environment, "TAXOHASH_MAX_SIDE", standard.side),
                decoders=_whole(environment, "TAXOHASH_DECODERS", standard.decoders),
                decode_seconds=_seconds(environment, "TAXOHASH_DECODE_SECONDS", standard.decode_seconds),
                upload_seconds=_seconds(environment, "TAXOHASH_UPLOAD_SECONDS", standard.upload_seconds),
                answer_seconds=_seconds(environment, "TAXOHASH_ANSWER_SECONDS", standard.answer_seconds),
                requests=_whole(environment, "TAXOHASH_MAX_REQUESTS", standard.requests),
                threads=_whole(environment, "TAXOHASH_THREADS", standard.threads),
                k=_whole(environment, "TAXOHASH_MAX_K", standard.k),
            ),
            token=_token(environment),
        )


def _required(environment: Mapping[str, str], name: str, meaning: str) -> str:
    if not (value := environment.get(name, "").strip()):
        raise TaxohashError(f"{name} is not set: set it to {meaning}")
    return value


def _whole(environment: Mapping[str, str], name: str, standard: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return standard
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise TaxohashError(f"{name} is {text!r}: set it to a whole number of at least 1")
    return int(text)


def _seconds(environment: Mapping[str, str], name: str, standard: float) -> float:
    text = environment.get(name, "").strip()
    if not text:
        return standard
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 3600.0:  # not a number compares false
        raise TaxohashError(f"{name} is {text!r}: set it to a number of seconds above 0, at most 3600")
    return value


def _token(environment: Mapping[str, str]) -> str | None:
    """The token of TAXOHASH_API_TOKEN or of the file that TAXOHASH_API_TOKEN_FILE names.

    A variable that is set but gives no token is an error: it must not open the service to everybody.
    """
    if "TAXOHASH_API_TOKEN_FILE" in environment:
        source = f"TAXOHASH_API_TOKEN_FILE {environment['TAXOHASH_API_TOKEN_FILE']!r}"
        try:
            token = Path(environment["TAXOHASH_API_TOKEN_FILE"]).read_text(encoding="ascii").strip()
        except OSError as error:
            raise TaxohashError(
                f"{source} cannot be read ({error.strerror}): give the path of a readable file"
            ) from None
        except UnicodeDecodeError:
            raise TaxohashError(f"{source} is not ASCII text: write the token alone into it") from None
    elif "TAXOHASH_API_TOKEN" in environment:
        source = "TAXOHASH_API_TOKEN"
        token = environment["TAXOHASH_API_TOKEN"].strip()
    else:
        return None
    if not token or not all("!" <= letter <= "~" for letter in token):
        raise TaxohashError(
            f"{source} holds no usable token: give printable ASCII without spaces, or unset it"
        )
    return token
