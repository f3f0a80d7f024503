"""The picture of an item, from wherever it may be read: the store of pictures, the data set, or the item's URI."""

import os
from collections.abc import Callable, Mapping
from typing import Protocol

from services.codestore.pictures import MAX_PICTURE, MissingPictureError, Pictures, digest_of
from services.codestore.pictures.uris import UriReader, prefixes_from
from taxohash.errors import TaxohashError
from taxohash.identifiers import shown


class Pictured(Protocol):
    """What an item says of its picture; `picture` is the sha256 of the original in hex, or empty, and so may `uri` be."""

    @property
    def id(self) -> str: ...
    @property
    def picture(self) -> str: ...
    @property
    def uri(self) -> str: ...


class PictureSources:
    """Reads pictures of items; what encodes them needs no more of where they are.

    Args:
        pictures: the store that pictures are looked for in by content.
        uris: reads addresses, only those that an operator allowed.
        data_set: the bytes of an item of the data set by the item's id, or None for what it does not have.
    """

    def __init__(
        self,
        pictures: Pictures,
        uris: UriReader,
        data_set: Callable[[str], bytes | None] = lambda item_id: None,
    ) -> None:
        self._pictures = pictures
        self._uris = uris
        self._data_set = data_set

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] = os.environ,
        data_set: Callable[[str], bytes | None] = lambda item_id: None,
    ) -> "PictureSources":
        """As TAXOHASH_PICTURES and TAXOHASH_URI_PREFIXES say.

        Raises:
            TaxohashError: one of them has a value that cannot be.
        """
        pictures = Pictures.from_environment(environment)
        return cls(pictures, UriReader(prefixes_from(environment), limit=MAX_PICTURE), data_set)

    def read(self, item: Pictured) -> bytes:
        """The item's picture; from elsewhere than the store it must be the one that the item names by content, if it names one.

        Raises:
            StoreUnavailableError: a place does not answer as it should; later it may.
            TaxohashError: the item has no picture, or what is there is missing, damaged, another one, or must not be read.
        """
        missing = TaxohashError(f"item {shown(item.id)} has no picture: give it one, or a URI")
        if item.picture:
            try:
                return self._pictures.get(item.picture)
            except MissingPictureError as error:
                missing = error
        data = self._data_set(item.id)
        if data is None and item.uri:
            data = self._uris.read(item.uri)
        if data is None:
            raise missing
        if item.picture and digest_of(data) != item.picture:
            raise TaxohashError(
                f"item {shown(item.id)} names picture {item.picture}, found is {digest_of(data)}: put the item again"
            )
        return data
