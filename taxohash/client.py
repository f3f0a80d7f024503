"""Searching a running service by picture."""

from pathlib import Path
from typing import Any

import httpx

from taxohash.errors import TaxohashError

_SECONDS = 60.0


def search(
    url: str,
    picture_path: str | Path,
    k: int = 10,
    within: str | None = None,
    key: str | None = None,
    ranking: str | None = None,
) -> dict[str, Any]:
    """The service's answer to one picture: generation, bits, code, ranking, majority, results and took_ms.

    Args:
        url: of the service, such as http://127.0.0.1:3000.
        picture_path: file with the picture.
        k: number of answers.
        within: path of a taxonomy node, to search only the items below it.
        key: API key, if the service wants one.
        ranking: `weighted`, by what the hasher is sure of in the picture, which is the service's own choice, or
            `hamming`, by the Hamming distance to its code.

    Raises:
        TaxohashError: no such file, no service there, or the service refuses, in its own words.
    """
    try:
        picture = Path(picture_path).read_bytes()
    except OSError as error:
        raise TaxohashError(
            f"picture {picture_path} cannot be read ({error.strerror}): give an image file"
        ) from None
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise TaxohashError("the key is no key: give one that `taxohash keys add` made")
    wishes = {"k": str(k), "within": within, "ranking": ranking}
    fields = {name: value for name, value in wishes.items() if value}
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/v1/search",
            files={"image": ("picture", picture)},
            data=fields,
            headers=headers,
            timeout=_SECONDS,
        )
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise TaxohashError(
            f"{url!r} is no address of a service: give one such as http://127.0.0.1:3000"
        ) from None
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise TaxohashError(f"no answer from {url} ({reason}): start the service, or correct --url") from None
    try:
        told = answer.json()
        if answer.status_code == 200 and "results" in told:
            return dict(told)
        sentence = str(told["detail"])
    except (ValueError, KeyError, TypeError):
        raise TaxohashError(
            f"{url} answered {answer.status_code}, but not as a taxohash service does: correct --url"
        ) from None
    raise TaxohashError(f"{url} refused the search ({answer.status_code}): {sentence}")
