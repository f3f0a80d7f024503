"""The client of the service: `Client`, and `AsyncClient` for programs with an event loop. It prints nothing unless asked to."""

from pathlib import Path
from typing import Any

from taxohash.client.answers import (
    DeleteAnswer,
    EditAnswer,
    Encoded,
    GenerationAnswer,
    GenerationsAnswer,
    ItemAnswer,
    Predicted,
    PutAnswer,
    Refusal,
    Result,
    SearchAnswer,
    StatsAnswer,
    TaxonomyAnswer,
)
from taxohash.client.async_client import AsyncClient
from taxohash.client.batches import Uploaded
from taxohash.client.client import Client
from taxohash.client.errors import BusyError, MalformedAnswerError, NoAnswerError, RequestRefusedError
from taxohash.client.queries import Code, ItemId, Picture, Query, Wishes
from taxohash.client.retries import NEVER, Retries
from taxohash.client.uploads import Upload, of_folder

__all__ = [
    "NEVER",
    "AsyncClient",
    "BusyError",
    "Client",
    "Code",
    "DeleteAnswer",
    "EditAnswer",
    "Encoded",
    "GenerationAnswer",
    "GenerationsAnswer",
    "ItemAnswer",
    "ItemId",
    "MalformedAnswerError",
    "NoAnswerError",
    "Picture",
    "Predicted",
    "PutAnswer",
    "Query",
    "Refusal",
    "RequestRefusedError",
    "Result",
    "Retries",
    "SearchAnswer",
    "StatsAnswer",
    "TaxonomyAnswer",
    "Upload",
    "Uploaded",
    "Wishes",
    "of_folder",
    "search",
]


def search(
    url: str,
    picture_path: str | Path,
    k: int = 10,
    within: str | None = None,
    key: str | None = None,
    ranking: str | None = None,
) -> dict[str, Any]:
    """The service's answer to one picture, as it came: `Client.search` for programs that want no more than that.

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
    with Client(url, key) as client:
        return dict(client.search(Path(picture_path), k=k, within=within, ranking=ranking).raw)
