"""Certificates of a node: an authority of its own, and who has which name before the API server."""

import datetime
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.node import network

_VALID = datetime.timedelta(days=3650)


@dataclass(frozen=True)
class Identity:
    """One who has a certificate.

    Attributes:
        user: who that is, for the API server.
        group: to which the user belongs.
        names: host names and addresses, of servers.
    """

    user: str
    group: str = ""
    names: tuple[str, ...] = ()


IDENTITIES = {
    "admin": Identity("admin", "system:masters"),
    "apiserver": Identity(
        "kube-apiserver",
        names=(
            *("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"),
            *(f"kubernetes.default.svc.{network.DOMAIN}", "127.0.0.1", network.NODE, network.KUBERNETES),
        ),
    ),
    "controller-manager": Identity("system:kube-controller-manager"),
    "front-proxy": Identity("front-proxy"),
    "kubelet": Identity(
        f"system:node:{network.NAME}", "system:nodes", (network.NAME, network.NODE, "127.0.0.1")
    ),
    "kube-proxy": Identity("system:kube-proxy"),
    "scheduler": Identity("system:kube-scheduler"),
}


def write(folder: Path) -> None:
    """Write the authority (ca.crt, ca.key), the key that signs tokens (tokens.key), and of each identity certificate, key and
    the configuration with which it reaches the API server."""
    folder.mkdir(mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "taxohash node")])
    authority = (
        _certificate(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    _save(folder / "ca", key, authority)
    _save(folder / "tokens", ec.generate_private_key(ec.SECP256R1()), None)
    for file, identity in IDENTITIES.items():
        own = ec.generate_private_key(ec.SECP256R1())
        _save(folder / file, own, _signed(identity, own, key, name))
        (folder / f"{file}.conf").write_text(json.dumps(_kubeconfig(folder, file)))


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _VALID)
    )


def _signed(
    identity: Identity,
    own: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
) -> x509.Certificate:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, identity.user)]
    if identity.group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.group))
    builder = _certificate(x509.Name(parts), issuer, own).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
        critical=False,
    )
    if identity.names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in identity.names]), critical=False
        )
    return builder.sign(authority, hashes.SHA256())


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _save(file: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate | None) -> None:
    file.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    if certificate:
        file.with_suffix(".crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _kubeconfig(folder: Path, file: str) -> dict[str, object]:
    server = {
        "server": f"https://127.0.0.1:{network.API_PORT}",
        "certificate-authority": str(folder / "ca.crt"),
    }
    user = {"client-certificate": str(folder / f"{file}.crt"), "client-key": str(folder / f"{file}.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "node", "cluster": server}],
        "users": [{"name": file, "user": user}],
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": file}}],
        "current-context": "node",
    }
