"""An authority of a test, and certificates that it signs, by the commands of manifests/components/README.md."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support.manifests import ROOT

COMMANDS = re.findall(
    r"^openssl .*$", (ROOT / "manifests" / "components" / "codestore.md").read_text(encoding="utf-8"), re.M
)


class Authority:
    """What signs certificates; `text` is its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        (make, *self._sign) = COMMANDS
        self._run(make)
        self.text = (folder / "ca.crt").read_text()

    def certificate(self, days: int, hosts: Iterable[str] = ()) -> dict[str, str]:
        """A server's certificate and key, as a Secret has them; of these addresses too."""
        here = "".join(f"IP:{host}," for host in ("127.0.0.1", *hosts))
        for command in self._sign:
            named = command.replace("DNS:codestore,", f"DNS:codestore,DNS:localhost,{here}")
            self._run(re.sub(r"-days \d+", f"-days {days}", named))
        return {name: (self._folder / name).read_text() for name in ("tls.crt", "tls.key")}

    def _run(self, command: str) -> None:
        words = command.replace("rsa:3072", "rsa:2048").replace("$NAMESPACE", "taxohash").split()
        subprocess.run(words, cwd=self._folder, check=True, capture_output=True, timeout=60)
