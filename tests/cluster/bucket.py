"""An S3 server beside the node, which pods reach as they would one outside of their cluster: at port 443 of an address.

`python -m tests.cluster.bucket make`, or `fetch PREFIX FOLDER`, is run in the node's network.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.node import Node
from tests.cluster.programs import environment, python
from tests.support.waiting import until

BUCKET = "taxohash"
_KEY, _SECRET = "pods", "a secret of pods"
_ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]
# Only one of these is asked from outside; the node's network has them all to itself.
_PORTS = {
    "master.port": 9333,
    "master.port.grpc": 19333,
    "volume.port": 8181,
    "volume.port.grpc": 18181,
    "filer.port": 8888,
    "filer.port.grpc": 18888,
    "s3.port": 443,
    "s3.port.grpc": 18333,
}
_START_SECONDS = 120.0


@dataclass(frozen=True)
class Bucket:
    """Where generations, pictures and backups lie.

    Attributes:
        address: of the server.
    """

    node: Node
    address: str

    @property
    def variables(self) -> dict[str, str]:
        """By which a client finds it."""
        return {
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_ENDPOINT_URL": self.address,
            "AWS_REGION": "us-east-1",
        }

    def fetch(self, prefix: str, folder: Path) -> Path:
        """The files below a prefix, in a folder."""
        self._run("fetch", prefix, str(folder))
        return folder

    def make(self) -> bool:
        """Make the bucket; whether the server took it."""
        return self._run("make", check=False).returncode == 0

    def _run(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        command = python("tests.cluster.bucket", *words)
        return self.node.inside(*command, check=check, env=environment(self.variables))


@contextmanager
def bucket(node: Node, folder: Path, address: str) -> Iterator[Bucket]:
    """An empty one, with its data in a folder, for as long as the block.

    Args:
        address: of the node, in its own network.
    """
    identity = {
        "name": _KEY,
        "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}],
        "actions": _ACTIONS,
    }
    config = folder / "accounts.json"
    config.write_text(json.dumps({"identities": [identity]}))
    command = [
        str(Path(sys.executable).with_name("weed")),
        f"-logdir={folder}",
        "server",
        f"-dir={folder}",
        f"-ip={address}",
        "-ip.bind=0.0.0.0",
        "-filer",
        "-s3",
        f"-s3.config={config}",
        "-s3.port.iceberg=0",
        "-s3.iam=false",
        "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false",
        "-volume.max=8",
        "-volume.minFreeSpace=0",
        "-volume.preStopSeconds=0",
        *(f"-{name}={port}" for name, port in _PORTS.items()),
    ]
    with (folder / "log").open("wb") as log:
        server = node.start(*command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        found = Bucket(node, f"http://{address}:{_PORTS['s3.port']}")
        until(found.make, _START_SECONDS)
        yield found
    finally:
        server.terminate()
        server.wait()


def main(words: list[str]) -> int:
    """Do what is asked for, with the address and the keys of the environment."""
    import boto3

    client: Any = boto3.client("s3")
    if words[0] == "make":
        client.create_bucket(Bucket=BUCKET)
        return 0
    prefix, folder = words[1], Path(words[2])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
        for found in page.get("Contents", ()):
            file = folder / found["Key"].removeprefix(f"{prefix}/")
            file.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(BUCKET, found["Key"], str(file))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
