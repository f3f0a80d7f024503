"""The signature of a generation: one file beside the others, read without a network.

model.sig has the format of OpenSSF Model Signing 1.0, so that its command checks it too: a Sigstore bundle (JSON) with a DSSE
envelope (https://github.com/secure-systems-lab/dsse) around an in-toto statement, which names every other file by its sha256.
It is no file of the manifest and has no part in the id: a generation is the same, signed or not.

`taxohash.release.signing` writes it with the library of that format. It is read by `cryptography` alone: the library would bring
two dozen packages into the serving image, most of them for Sigstore's servers, to check one ECDSA signature. Tests hold the two
against each other.
"""

import base64
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from taxohash.errors import TaxohashError
from taxohash.generation.keys import CURVES, Keys
from taxohash.runtime.schema_words import shown
from taxohash.runtime.small_files import read_small

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

SIGNATURE = "model.sig"
MOST_BYTES = 1 << 20
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"


class _Signed(NamedTuple):
    """What a file says, of which nothing is believed yet."""

    payload: bytes
    signature: bytes


def read_signature(folder: Path) -> bytes | None:
    """The bytes of a generation's signature, MOST_BYTES + 1 at most; None where it has none.

    Raises:
        TaxohashError: it cannot be read, or is no file: a link, a folder, a pipe.
    """
    file = folder / SIGNATURE
    try:
        return read_small(file, MOST_BYTES, links=False)[0]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TaxohashError(
            f"{file} cannot be read as a file ({error.strerror}): remove it, and sign the generation"
        ) from None


def check_signature(generation_id: str, text: bytes | None, files: Mapping[str, str], keys: Keys) -> None:
    """Make sure that one of these keys has signed these files, all of them and no other.

    Args:
        text: of the signature's file; None where there is none.
        files: sha256 of each, by name, the manifest's too.

    Raises:
        TaxohashError: it is unsigned, or wrongly.
    """
    if text is None:
        raise TaxohashError(
            f"generation {generation_id} is not signed, and keys are given in {keys.source}: sign it with `taxohash sign`"
        )
    signed = _parsed(generation_id, text)
    if not any(_is_by(key, signed) for key in keys.keys):
        raise TaxohashError(
            f"generation {generation_id} is signed by none of the keys in {keys.source}, or {SIGNATURE} was altered: "
            "sign it again, or add the key that signed it"
        )
    said = _stated(generation_id, signed.payload)
    if said != files:
        name = min(name for name in said.keys() | files.keys() if said.get(name) != files.get(name))
        raise TaxohashError(
            f"generation {generation_id} has a signature of other files, {shown(name)} for one: sign it again, or put back what "
            "was signed"
        )


def unsigned_names(folder: Path, names: Iterable[str]) -> list[str]:
    """What lies in a folder beside the files of these names and their signature, or has such a name and is no file."""
    known = {SIGNATURE, *names}
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not (entry.name in known and entry.is_file(follow_symlinks=False))
            and not entry.name.startswith(f".{SIGNATURE}.")  # one that is being written
        )


def _parsed(generation_id: str, text: bytes) -> _Signed:
    if len(text) > MOST_BYTES:
        raise _no_signature(generation_id, f"more than {MOST_BYTES:,} bytes")
    try:
        bundle = json.loads(text)
        envelope = bundle["dsseEnvelope"]
        (own,) = envelope["signatures"]
        kinds = (bundle["mediaType"], envelope["payloadType"])
        found = _Signed(_decoded(envelope["payload"]), _decoded(own["sig"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _no_signature(generation_id, "not of its form") from None
    if kinds != (_BUNDLE, _PAYLOAD):
        raise _no_signature(generation_id, f"of the kind {shown(kinds[0])}, {shown(kinds[1])}")
    return found


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _is_by(key: "EllipticCurvePublicKey", signed: _Signed) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    digests: dict[int, hashes.HashAlgorithm] = {
        256: hashes.SHA256(),
        384: hashes.SHA384(),
        512: hashes.SHA512(),
    }
    try:
        key.verify(signed.signature, _encoded(signed.payload), ECDSA(digests[CURVES[key.curve.name]]))
    except InvalidSignature:
        return False
    return True


def _encoded(payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %b %d %b" % (len(_PAYLOAD), _PAYLOAD.encode(), len(payload), payload)


def _stated(generation_id: str, payload: bytes) -> dict[str, str]:
    """sha256 of each file by name, as a statement says whose signature is right."""
    try:
        statement = json.loads(payload)
        predicate: dict[str, Any] = statement["predicate"]
        resources = predicate["resources"]
        found = {str(one["name"]): str(one["digest"]) for one in resources}
        kinds = (statement["_type"], statement["predicateType"], predicate["serialization"]["method"])
        hashed = {one["algorithm"] for one in resources}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _no_signature(generation_id, "signed, and not of its form") from None
    if kinds != (_STATEMENT, _PREDICATE, "files") or hashed != {"sha256"} or len(found) != len(resources):
        raise _no_signature(generation_id, "signed, and no list of files with their sha256")
    return found


def _no_signature(generation_id: str, what: str) -> TaxohashError:
    return TaxohashError(f"{SIGNATURE} of generation {generation_id} is no signature ({what}): sign it again")
