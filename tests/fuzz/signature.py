"""Any bytes as the signature of a generation: none that says something else than what was signed is taken."""

import base64
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from taxohash.generation.keys import Keys
from taxohash.generation.signature import check_signature
from tests.fuzz.mutations import changed_bytes, changed_json
from tests.support.outcome import answer

MEMORY = 1024
WORDS = (
    b'"mediaType"', b'"dsseEnvelope"', b'"payload"', b'"payloadType"', b'"signatures"', b'"sig"', b'"verificationMaterial"',
    b"application/vnd.dev.sigstore.bundle.v0.3+json", b"application/vnd.in-toto+json", b'"predicate"', b'"resources"', b'"digest"',
    b'"serialization"', b'"method"', b'"files"', b'"algorithm"', b'"sha256"', b'"name"', b'"_type"', b'"predicateType"', b"=", b"==",
)  # fmt: skip
ID = "0123456789abcdef"
KIND = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


KEY = generate_private_key(SECP256R1())
OURS = Keys("ours", (KEY.public_key(),))
OTHERS = Keys("others", (generate_private_key(SECP256R1()).public_key(),))
FILES = {"generation.json": "0" * 64, "hasher.onnx": "0123456789abcdef" * 4}


def seeds() -> Iterator[bytes]:
    """The signature of these files, and that of others."""
    for files in (FILES, {**FILES, "codes.npy": "f" * 64}):
        resources = [
            {"name": name, "algorithm": "sha256", "digest": digest} for name, digest in files.items()
        ]
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": ID, "digest": {"sha256": "0" * 64}}],
            "predicateType": "https://model_signing/signature/v1.0",
            "predicate": {"serialization": {"method": "files"}, "resources": resources},
        }
        payload = json.dumps(statement).encode()
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": KIND,
            "signatures": _sign(payload),
        }
        material = {"publicKey": {"hint": "0" * 64}, "tlogEntries": []}
        bundle = {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}
        yield json.dumps(bundle).encode()


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
            envelope["signatures"] = _sign(payload)
            return json.dumps(bundle).encode()[:most]
    return changed_json(data, most, draw)


def attempt(data: bytes, folder: Path) -> None:
    """What is taken names these files, whatever else it says."""

    def taken() -> bool:
        check_signature(ID, data, FILES, OURS)
        return True

    def taken_of_others() -> bool:
        check_signature(ID, data, FILES, OTHERS)
        return True

    if answer(taken):
        payload = base64.b64decode(json.loads(data)["dsseEnvelope"]["payload"])
        resources = json.loads(payload)["predicate"]["resources"]
        assert {one["name"]: one["digest"] for one in resources} == FILES
    assert answer(taken_of_others) is None


def _sign(payload: bytes) -> list[dict[str, str]]:
    text = b"DSSEv1 %d %b %d %b" % (len(KIND), KIND.encode(), len(payload), payload)
    return [{"sig": base64.b64encode(KEY.sign(text, ECDSA(SHA256()))).decode(), "keyid": ""}]
