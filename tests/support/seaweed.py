"""SeaweedFS, a real S3 server from a wheel, on loopback: where data versions are pushed to and pulled from."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from services.processes import stop
from tests.support.ports import free_ports
from tests.support.s3 import BUCKET, S3

_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)
_S3_PORTS = ("s3.port", "s3.port.grpc")
_ACCOUNTS = {
    "full": ["Admin", "Read", "Write", "List", "Tagging"],
    "reader": ["Read", "List"],
    "stranger": [],
}


@contextmanager
def seaweed(folder: Path) -> Iterator[S3]:
    """Start it with its data in a folder; it ends with the block."""
    keys = {name: (f"{name}-key", f"{name}-secret") for name in _ACCOUNTS}
    config = folder / "accounts.json"
    config.write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": name,
                        "credentials": [{"accessKey": keys[name][0], "secretKey": keys[name][1]}],
                        "actions": actions,
                    }
                    for name, actions in _ACCOUNTS.items()
                ]
            }
        )
    )
    ports = dict(zip(_PORTS + _S3_PORTS, free_ports(len(_PORTS + _S3_PORTS)), strict=True))
    command = [
        str(Path(sys.executable).with_name("weed")),
        f"-logdir={folder}",
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
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
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    try:
        found = S3(ports["s3.port"], keys["full"], keys["reader"])
        _wait(server, found)
        found.client().create_bucket(Bucket=BUCKET)
        yield found
    finally:
        stop(server, 0.5)  # nothing of it is kept


def _wait(server: "subprocess.Popen[bytes]", found: S3) -> None:
    """Until it can store something: its gateway answers before its volumes do."""
    from botocore.exceptions import BotoCoreError, ClientError

    deadline = time.monotonic() + 60
    client = found.client()
    while server.poll() is None and time.monotonic() < deadline:
        try:
            client.list_buckets()
            return
        except (BotoCoreError, ClientError, httpx.HTTPError):
            time.sleep(0.1)
    raise AssertionError("SeaweedFS does not come up")
