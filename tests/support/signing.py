"""Keys and signatures of tests."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from taxohash.release.signing import SigningKey, sign


def make_key(
    file: Path, curve: ec.EllipticCurve | None = None, passphrase: bytes | None = None
) -> tuple[Path, Path]:
    """Files of a new private key and of its public half, beside each other."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    public = file.with_suffix(".pub")
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    file.chmod(0o600)
    return file, public


def signed(folder: Path, private: Path) -> Path:
    """A generation's folder, signed."""
    sign(folder, SigningKey.load(private))
    return folder
