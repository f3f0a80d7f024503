"""Where Kubeflow Pipelines is, and who asks: read from the environment, by the names that kfp's users know."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.shared.placement import Placement
from services import settings
from taxohash.errors import TaxohashError

# Where the manifests put the token of a pod's service account.
POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")

EXPERIMENT = "taxohash"  # the folder of our runs


@dataclass(frozen=True)
class Access:
    """How to reach a Kubeflow.

    Attributes:
        endpoint: its address, without a slash at its end.
        ui: address of its pages, likewise.
        namespace: in which runs run, where it has several users.
        token: bearer token; None where there is none, or a file of it.
        token_file: file with the token, which is read again before each request: it is renewed there.
        cookies: of a session.
        ca_cert: file with the certificates that vouch for it; None for those of certifi.
    """

    endpoint: str
    ui: str
    namespace: str
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    cookies: str | None = field(default=None, repr=False)
    ca_cert: Path | None = None

    @classmethod
    def from_environment(
        cls,
        endpoint: str | None = None,
        namespace: str | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> "Access":
        """That which the KF_PIPELINES_* variables describe.

        Args:
            endpoint, namespace: as given on the command line; they win.

        Raises:
            TaxohashError: no endpoint is named, or it is no address; or a file that is named is not there.
        """
        endpoint = endpoint or settings.KF_PIPELINES_ENDPOINT.of(environment)
        if endpoint is None:
            raise TaxohashError(
                f"no Kubeflow is named: set {settings.KF_PIPELINES_ENDPOINT.name} to its address, such as http://127.0.0.1:8080 after "
                "`kubectl -n kubeflow port-forward svc/ml-pipeline-ui 8080:80`"
            )
        token = settings.KF_PIPELINES_TOKEN.of(environment)
        named = _file(settings.KF_PIPELINES_SA_TOKEN_PATH, environment)
        return cls(
            endpoint=_address(endpoint),
            ui=_address(settings.KF_PIPELINES_UI_ENDPOINT.of(environment) or endpoint),
            namespace=namespace or settings.KF_PIPELINES_NAMESPACE.of(environment) or Placement().namespace,
            token=token,
            token_file=None if token else named or (POD_TOKEN if POD_TOKEN.is_file() else None),
            cookies=settings.KF_PIPELINES_COOKIES.of(environment),
            ca_cert=_file(settings.KF_PIPELINES_CA_CERT, environment),
        )


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:  # an address of IPv6 that is none
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TaxohashError(f"address {text!r} of Kubeflow is none: write http://HOST or https://HOST")
    if parts.username or parts.password:
        raise TaxohashError(
            f"the address of Kubeflow holds a password, which would be shown: set {settings.KF_PIPELINES_TOKEN.name} instead"
        )
    return text.rstrip("/")


def _file(setting: settings.Setting[str | None], environment: Mapping[str, str]) -> Path | None:
    name = setting.of(environment)
    if name is None:
        return None
    if not Path(name).is_file():
        raise TaxohashError(f"{setting.name} is {name!r}, where no file is: set it to a file")
    return Path(name)
