"""Any bytes as the signature of a generation: none that says something else than what was signed is taken."""

import base64
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)

from taxohash.generation.keys import Keys
from taxohash.generation.manifest import MANIFEST, Generation
from taxohash.generation.signature import SIGNATURE, check_signature
from taxohash.release.signing import SigningKey
from tests.fuzz.mutations import changed_bytes, changed_json
from tests.support.generations import make_generation
from tests.support.outcome import answer
from tests.support.signing import make_key, signed

MEMORY = 1024
WORDS = (
    b'"mediaType"', b'"dsseEnvelope"', b'"payload"', b'"payloadType"', b'"signatures"', b'"sig"', b'"verificationMaterial"',
    b"application/vnd.dev.sigstore.bundle.v0.3+json", b"application/vnd.in-toto+json", b'"predicate"', b'"resources"', b'"digest"',
    b'"serialization"', b'"method"', b'"files"', b'"algorithm"', b'"sha256"', b'"name"', b'"_type"', b'"predicateType"', b"=", b"==",
)  # fmt: skip
ID = "0123456789abcdef"


@cache
def _known() -> tuple[bytes, dict[str, str], Keys, EllipticCurvePrivateKey]:
    """A signature, what it is of, whose it is, and that key."""
    with TemporaryDirectory() as name:
        folder = Path(name, "generation")
        generation = make_generation(folder)
        private, _ = make_key(Path(name, "key.pem"))
        signed(folder, private)
        key = SigningKey.load(private)
        digest = hashes.Hash(hashes.SHA256())
        digest.update((folder / MANIFEST).read_bytes())
        files = {**Generation.load(folder).files, MANIFEST: digest.finalize().hex()}
        assert generation.files.keys() < files.keys()
        return (folder / SIGNATURE).read_bytes(), files, key.public, key.key


def seeds() -> Iterator[bytes]:
    """The signature of a generation, and one of the same form by another hand."""
    text = _known()[0]
    yield text
    yield json.dumps(json.loads(text), indent=1).encode()


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Other bytes; another envelope; or another statement, rightly signed by the key that is trusted."""
    draw = random.Random(seed)
    if draw.random() < 0.3:
        return changed_bytes(data, most)
    with suppress(ValueError, KeyError, TypeError, IndexError, RecursionError):
        if draw.random() < 0.6:
            bundle = json.loads(data)
            envelope = bundle["dsseEnvelope"]
            payload = changed_json(base64.b64decode(envelope["payload"]), most // 2, draw)
            envelope["payload"] = base64.b64encode(payload).decode()
            envelope["signatures"] = [{"sig": _sign(payload), "keyid": ""}]
            return json.dumps(bundle).encode()[:most]
    return changed_json(data, most, draw)


def attempt(data: bytes, folder: Path) -> None:
    """What is taken names these files, whatever else it says."""
    _, files, keys, _ = _known()

    def taken() -> bool:
        check_signature(ID, data, files, keys)
        return True

    if answer(taken):
        payload = base64.b64decode(json.loads(data)["dsseEnvelope"]["payload"])
        resources = json.loads(payload)["predicate"]["resources"]
        assert {one["name"]: one["digest"] for one in resources} == files
    other = (
        Keys("another", (generate_private_key(SECP256R1()).public_key(),)) if len(data) % 64 == 0 else None
    )
    if other is not None:
        assert answer(lambda: check_signature(ID, data, files, other) or True) is None


def _sign(payload: bytes) -> str:
    kind = b"application/vnd.in-toto+json"
    text = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    return base64.b64encode(_known()[3].sign(text, ECDSA(hashes.SHA256()))).decode()
