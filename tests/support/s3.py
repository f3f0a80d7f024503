"""An S3 of our own: moto's server as a process, which checks signatures and who may do what."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import httpx

from tests.support.ports import free_port

BUCKET = "pictures"
_POLICY = '{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": {}, "Resource": "*"}}]}}'


@dataclass(frozen=True)
class S3:
    """A server with a bucket, an account that may do everything with it, and one that may only read."""

    port: int
    full: tuple[str, str]
    reader: tuple[str, str]

    def environment(self, keys: tuple[str, str] | None = None, port: int | None = None) -> dict[str, str]:
        """Variables by which a client finds it."""
        key, secret = keys or self.full
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
        }

    def client(self) -> Any:
        """Amazon's own client, for what a test does behind the program's back."""
        return _client(self.port, "s3", *self.full)


def _client(port: int, service: str, key: str = "any", secret: str = "any") -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )


def _account(port: int, name: str, actions: str) -> tuple[str, str]:
    iam = _client(port, "iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=_POLICY.format(actions))
    keys = iam.create_access_key(UserName=name)["AccessKey"]
    return keys["AccessKeyId"], keys["SecretAccessKey"]


@contextmanager
def s3_server() -> Iterator[S3]:
    """Start it on a free port; it ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait(server, port)
            full, reader = (
                _account(port, "full", '"s3:*"'),
                _account(port, "reader", '["s3:Get*", "s3:List*"]'),
            )
            _client(port, "s3").create_bucket(Bucket=BUCKET)
            httpx.post(f"http://127.0.0.1:{port}/moto-api/reset-auth", content=b"0").raise_for_status()
            yield S3(port, full, reader)
        finally:
            server.terminate()


def _wait(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the S3 server does not come up")
