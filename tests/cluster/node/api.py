"""Questions to a node's API server and kubelet, from within the node."""

import json
import ssl
import urllib.request
from typing import Any

from tests.cluster.node import network
from tests.cluster.node.settings import PKI

Manifest = dict[str, Any]


class Api:
    """Asks as the administrator."""

    def __init__(self) -> None:
        context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))
        context.load_cert_chain(PKI / "admin.crt", PKI / "admin.key")
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def items(self, path: str) -> list[Manifest]:
        """All of a kind, by its path.

        Raises:
            OSError: the API server does not answer.
        """
        found: list[Manifest] = self.ask(f"https://127.0.0.1:{network.API_PORT}{path}")["items"]
        return found

    def ask(self, url: str) -> Any:
        """A document.

        Raises:
            OSError: nobody answers, or with an error.
        """
        with self._opener.open(url, timeout=5) as answer:
            return json.load(answer)
