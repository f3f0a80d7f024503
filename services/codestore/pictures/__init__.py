"""Originals and thumbnails of items: kept by their content, and where else they may be read from."""

from services.codestore.pictures.store import (
    DAY,
    MAX_PICTURE,
    DamagedPictureError,
    MissingPictureError,
    Pictures,
    digest_of,
    users_folder,
)

__all__ = [
    "DAY",
    "MAX_PICTURE",
    "DamagedPictureError",
    "MissingPictureError",
    "Pictures",
    "digest_of",
    "users_folder",
]
