"""Where a built Bento and the model packed in it lie, without BentoML."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from taxohash.errors import TaxohashError

FILE = "bento.yaml"
_PART = r"[a-z0-9](?:[-._a-z0-9]*[a-z0-9])?"  # as BentoML allows them
TAG = re.compile(f"({_PART}):({_PART})")


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """Where BentoML keeps Bentos and models."""
    return Path(environment.get("BENTOML_HOME") or "~/bentoml").expanduser()


def folder_of(tag: str, bento_home: Path) -> Path:
    """The folder of the Bento of this tag, `name:version` or `name:latest`.

    Raises:
        TaxohashError: there is none.
    """
    return _named(tag, bento_home / "bentos", f"Bento {tag!r}", "build it, or see `bentoml list`")


def packed(bento: Path, bento_home: Path) -> Path:
    """The folder of the generation that is packed in a Bento.

    Raises:
        TaxohashError: the Bento is damaged, or has none.
    """
    tag = _model(bento / FILE)
    for models in (bento / "models", bento_home / "models"):
        if (folder := _folder(tag, models)) and folder.is_dir():
            return folder
    raise TaxohashError(
        f"model {tag!r} of the Bento {bento} is neither in it nor in {bento_home / 'models'}: build the Bento anew"
    )


def _model(file: Path) -> str:
    """The tag of the one model of a Bento."""
    import yaml  # not everybody who serves has a Bento

    try:
        listed = yaml.safe_load(file.read_text(encoding="utf-8"))["models"]
        (tag,) = (model if isinstance(model, str) else model["tag"] for model in listed)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, KeyError, TypeError, RecursionError):
        tag = None
    if not isinstance(tag, str) or not TAG.fullmatch(tag):
        raise TaxohashError(f"{file} is damaged, or of no Bento of taxohash: build it anew")
    return tag


def _named(tag: str, store: Path, what: str, remedy: str) -> Path:
    folder = _folder(tag, store)
    if folder is None or not folder.is_dir():
        raise TaxohashError(f"{what} is not in {store}: {remedy}")
    return folder


def _folder(tag: str, store: Path) -> Path | None:
    """Where a tag lies in a store of BentoML; None where that cannot be told."""
    if not (match := TAG.fullmatch(tag)):
        return None
    name, version = match.groups()
    if version == "latest":
        try:
            version = (store / name / version).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        if not re.fullmatch(_PART, version):
            return None
    return store / name / version
