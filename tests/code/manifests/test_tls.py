"""The code store by TLS: who has which part of the keys, and that another certificate or authority costs nobody an answer."""

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.shared.placement import AUTHORITY_MOUNT, Placement
from services.codestore import CodeStore
from services.codestore.accounts import address_of
from services.codestore.connection import Connection, StoreUnavailableError
from taxohash.taxonomy import Taxonomy
from tests.support.accounts import ACL, PASSWORDS
from tests.support.certificates import Authority
from tests.support.components import CLIENT_LABELS, Pod, needs_valkey, render_with, started, templates
from tests.support.manifests import OUTSIDE, Manifest, Peer, allowed, of_kind
from tests.support.waiting import until

CA_FILE = "/etc/codestore/ca.crt"


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return render_with("tls")


def test_every_client_knows_who_signed_and_nobody_else_has_the_key(manifests: list[Manifest]) -> None:
    clients = 0
    for name, template in templates(manifests).items():
        (container, *_) = template["spec"]["containers"]
        (mount,) = (own for own in container["volumeMounts"] if own["mountPath"] == str(Path(CA_FILE).parent))
        assert mount["readOnly"]
        assert "subPath" not in mount
        volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
        assert volumes[mount["name"]]["configMap"]["name"] == "codestore-ca"
        secrets = [volume.get("secret", {}).get("secretName") for volume in volumes.values()]
        assert ("codestore-tls" in secrets) == (name == "StatefulSet/codestore")
        clients += CLIENT_LABELS.items() <= template["metadata"]["labels"].items()
    assert clients == 3


def test_steps_of_pipelines_find_it_at_the_same_place() -> None:
    assert f"{AUTHORITY_MOUNT}/ca.crt" == CA_FILE
    assert Placement().authority == "codestore-ca"


def test_the_port_and_who_may_reach_it_stay(manifests: list[Manifest]) -> None:
    assert of_kind(manifests, "Service")["codestore"]["spec"]["ports"][0]["port"] == 6379
    store = Peer(templates(manifests)["StatefulSet/codestore"]["metadata"]["labels"])
    assert allowed(manifests, Peer(CLIENT_LABELS), store, 6379, "redis")
    assert not allowed(manifests, OUTSIDE, store, 6379, "redis")


class Server:
    """The pod, with an authority and a certificate of its own."""

    def __init__(self, manifests: list[Manifest], folder: Path) -> None:
        self.authority = Authority(folder / "first")
        self.pod = Pod(
            manifests,
            folder,
            {
                "codestore-acl": {"users.acl": ACL},
                "codestore-tls": self.authority.certificate(days=2),
                "codestore-ca": {"ca.crt": self.authority.text},
            },
            names={"tls-auto-reload-interval 60": "tls-auto-reload-interval 1"},
        )

    def address(self, account: str) -> str:
        """As the README has it made."""
        address = f"rediss://localhost:6379/0?ssl_ca_certs={CA_FILE}"
        return self.pod.here(address_of(account, PASSWORDS[account], address))

    def connect(self, account: str) -> CodeStore:
        return CodeStore.connect(self.address(account), timeout=10)

    def days(self) -> float:
        """For which the certificate of a new connection is good."""
        connection = Connection(self.address("reader"), 10)
        expires = connection.certificate_expires()
        connection.close()
        return (expires - time.time()) / 86_400


def refused(connect: Callable[[], object]) -> str:
    with pytest.raises(StoreUnavailableError) as error:
        connect()
    return str(error.value)


@pytest.mark.system
@pytest.mark.slow
@needs_valkey
def test_certificates_and_authorities_change_while_all_go_on(
    manifests: list[Manifest], tmp_path: Path
) -> None:
    server = Server(manifests, tmp_path)
    taxonomy = Taxonomy("t", (("a", "b"),))
    with started(server.pod):
        assert server.pod.ready()
        in_the_clear = address_of("reader", PASSWORDS["reader"], server.pod.here("redis://localhost:6379/0"))
        assert "use rediss://" in refused(lambda: CodeStore.connect(in_the_clear, timeout=5))
        stranger = server.address("reader").partition("?")[0]
        assert "not trusted" in refused(lambda: CodeStore.connect(stranger, timeout=5))
        asked, ended = [0, 0], threading.Event()  # by one who stays, by one who comes anew each time
        with server.connect("admin") as admin, server.connect("reader") as reader:
            admin.create("c", taxonomy, segments=1)

            def stays() -> None:
                while not ended.is_set():
                    assert reader.described("c")[0].segments == 1
                    asked[0] += 1

            def comes() -> None:
                while not ended.is_set():
                    with server.connect("reader") as anew:
                        assert anew.described("c")[0].segments == 1
                    asked[1] += 1

            failures: list[BaseException] = []

            def watched(work: Callable[[], None]) -> Callable[[], None]:
                def run() -> None:
                    try:
                        work()
                    except BaseException as error:
                        failures.append(error)

                return run

            threads = [threading.Thread(target=watched(work)) for work in (stays, comes)]
            for thread in threads:
                thread.start()
            assert math.isclose(server.days(), 2, abs_tol=0.1)
            # Another certificate of the same authority.
            server.pod.put("tls", server.authority.certificate(days=20))
            until(lambda: server.days() > 19)
            # Another authority: first it is known to all beside the old one, then it signs, then the old one is known no more.
            another = Authority(tmp_path / "another")
            server.pod.put("codestore-ca", {"ca.crt": another.text + server.authority.text})
            server.pod.put("tls", another.certificate(days=40))
            until(lambda: server.days() > 39)
            server.pod.put("codestore-ca", {"ca.crt": another.text})
            before = list(asked)
            until(lambda: (asked[0] > before[0] + 10 and asked[1] > before[1] + 10) or failures)
            ended.set()
            for thread in threads:
                thread.join()
            assert not failures
            assert server.pod.ready()
