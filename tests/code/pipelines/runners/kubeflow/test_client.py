"""Questions to a Kubeflow, and what is said where it does not answer them."""

import socket
from pathlib import Path
from typing import Any

import pytest

from pipelines.runners.kubeflow import client as module
from pipelines.runners.kubeflow.access import Access
from pipelines.runners.kubeflow.client import Kubeflow, UnreachableError
from taxohash.errors import TaxohashError
from tests.support.false_server import answering, certificate, false_server
from tests.support.kubeflow import FakeKubeflow, kubeflow

MD5 = "0" * 32


def greeting(address: str, **given: Any) -> Kubeflow:
    return Kubeflow(Access(address, address, "taxohash", **given))


def refusal(address: str, **given: Any) -> str:
    with pytest.raises(TaxohashError) as refused:
        greeting(address, **given)
    (line,) = str(refused.value).splitlines()
    return line


def test_a_run_is_started_as_the_api_wants_it(client: Kubeflow, fake: FakeKubeflow, package: Path) -> None:
    run_id = client.start(package, "first", {"dataset_md5": MD5, "epochs": 3}, "pipelines")
    body = fake.runs[run_id].body
    assert body["display_name"] == "first"
    assert body["runtime_config"]["parameters"] == {"dataset_md5": MD5, "epochs": 3}
    assert body["service_account"] == "pipelines"
    (experiment,) = fake.experiments.values()
    assert (experiment["display_name"], experiment["namespace"]) == ("taxohash", "taxohash")
    assert client.address(run_id) == f"{client.access.endpoint}/#/runs/details/{run_id}"


def test_a_name_is_one_run(client: Kubeflow, fake: FakeKubeflow, package: Path) -> None:
    """Whoever starts it again, after a crash for instance, gets the run that goes on already."""
    first = client.start(package, "first", {"dataset_md5": MD5})
    assert client.start(package, "first", {"dataset_md5": MD5}) == first
    assert client.start(package, "second", {"dataset_md5": MD5}) != first
    assert [run.display_name for run in client.runs()] == ["second", "first"]
    assert len(fake.experiments) == 1


def test_of_two_that_start_it_at_once_one_does(
    client: Kubeflow, fake: FakeKubeflow, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.start(package, "first", {"dataset_md5": MD5})
    found = iter([None, fake.runs[first]])  # it is not there yet when the other looks
    named = client._named
    monkeypatch.setattr(client, "_named", lambda *given: named(*given) if next(found) else None)
    assert client.start(package, "first", {"dataset_md5": MD5}) == first
    assert [run.state for run in fake.runs.values()] == ["RUNNING", "CANCELED"]


@pytest.mark.parametrize("other", [{"dataset_md5": "1" * 32}, {"collection": "shop"}])
def test_a_name_is_not_of_something_else(client: Kubeflow, package: Path, other: dict[str, str]) -> None:
    given = {"dataset_md5": MD5, "collection": "default"}
    run_id = client.start(package, "first", given)
    (name,) = other
    with pytest.raises(TaxohashError, match=f"run first is there already, of another {name}: give yours"):
        client.start(package, "first", given | other)
    with pytest.raises(TaxohashError, match="run first is there already, of another pipeline"):
        client.start(package.with_name("reindex.yaml"), "first", given)  # it is called so
    assert client.start(package, "first", given | {"epochs": 2}) == run_id  # of a newer program, for instance


def test_a_run_is_found_by_name_and_by_id(client: Kubeflow, package: Path) -> None:
    run_id = client.start(package, "first", {"dataset_md5": MD5})
    assert client.find("first") == client.find(run_id) == run_id
    with pytest.raises(TaxohashError, match="run third is not in Kubeflow at http"):
        client.find("third")


def test_who_looks_makes_nothing(client: Kubeflow, fake: FakeKubeflow) -> None:
    assert client.runs() == []
    with pytest.raises(TaxohashError, match="run first is not in Kubeflow at http"):
        client.find("first")
    assert fake.experiments == {}


def test_a_run_is_cancelled(client: Kubeflow, package: Path) -> None:
    run_id = client.start(package, "first", {"dataset_md5": MD5})
    client.cancel(run_id)
    assert client.run(run_id).state == "CANCELED"
    with pytest.raises(TaxohashError, match=f"refuses run {run_id}"):
        client.cancel(run_id)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, "parameter dataset_md5 is missing"),
        ({"dataset_md5": MD5, "epoch": 3}, "unknown parameters"),
        ({"dataset_md5": 3}, "parameter dataset_md5 is not of type STRING"),
    ],
)
def test_what_the_server_refuses_is_told(
    client: Kubeflow, package: Path, parameters: dict[str, Any], told: str
) -> None:
    with pytest.raises(TaxohashError, match=rf"refuses run first \(400: {told}"):
        client.start(package, "first", parameters)


def test_a_kubeflow_of_one_user_has_no_namespaces(package: Path) -> None:
    fake = FakeKubeflow(multi_user=False)
    with kubeflow(fake) as address:
        client = greeting(address)
        assert client.find(client.start(package, "first", {"dataset_md5": MD5}))
        assert "namespace" not in next(iter(fake.experiments.values()))


def test_the_token_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    with kubeflow(FakeKubeflow(token="new")) as address:
        greeting(address, token="new")
        told = refusal(address, token_file=file)
        assert told == (
            f"Kubeflow at {address} refuses the token in {file} (401): renew it, or have its owner allowed there"
        )
        file.write_text("new\n")
        greeting(address, token_file=file).runs()
        assert refusal(address, token="old").startswith(
            f"Kubeflow at {address} refuses the token of KF_PIPELINES_TOKEN (401)"
        )
        assert refusal(address, cookies="a=b").startswith(
            f"Kubeflow at {address} refuses the cookies of KF_PIPELINES_COOKIES (401)"
        )
        assert refusal(address) == (
            f"Kubeflow at {address} refuses callers without a name (401): set KF_PIPELINES_TOKEN, "
            "KF_PIPELINES_SA_TOKEN_PATH or KF_PIPELINES_COOKIES"
        )


def test_a_namespace_of_others_is_refused() -> None:
    with kubeflow(FakeKubeflow(forbidden={"taxohash"})) as address:
        client = greeting(address, token="mine")
        with pytest.raises(TaxohashError, match=r"KF_PIPELINES_TOKEN in namespace taxohash \(403\): renew"):
            client.runs()


def test_a_page_to_log_in_is_no_kubeflow() -> None:
    with kubeflow(FakeKubeflow(login=True)) as address:
        assert refusal(address).startswith(
            f"what answers at {address} is not Kubeflow Pipelines, or asks for a login"
        )


def test_nobody_at_the_address_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(
        UnreachableError, match=rf"Kubeflow at http://127.0.0.1:{port} does not answer \(.*refused"
    ):
        greeting(f"http://127.0.0.1:{port}")


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", (0.05, 0.05))
    with false_server(answering()) as port, pytest.raises(UnreachableError, match="timed out"):
        greeting(f"http://127.0.0.1:{port}")


def test_a_failing_server_may_be_asked_again(client: Kubeflow, fake: FakeKubeflow, package: Path) -> None:
    run_id = client.start(package, "first", {"dataset_md5": MD5})
    fake.failing = [503]
    with pytest.raises(UnreachableError, match=r"fails \(503: a bad day\): try again"):
        client.run(run_id)
    assert client.run(run_id).state == "RUNNING"


def test_the_certificate_must_be_vouched_for(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    with kubeflow(FakeKubeflow(), certificate=files) as address:
        greeting(address, ca_cert=files[0]).runs()
        assert refusal(address).startswith(f"the certificate of Kubeflow at {address} is not trusted")


def test_a_token_file_that_went_away_is_told(tmp_path: Path) -> None:
    with kubeflow(FakeKubeflow()) as address:
        told = refusal(address, token_file=tmp_path / "none")
    assert told == f"{tmp_path / 'none'} cannot be read (No such file or directory): look at its permissions"


def test_logs_are_those_of_the_pod(client: Kubeflow, fake: FakeKubeflow) -> None:
    fake.logs = {"pod-1": '{"not": "read"}\ntwo\n'}
    assert client.log("run-0", "pod-1") == '{"not": "read"}\ntwo\n'
    with pytest.raises(TaxohashError, match="the log of pod pod-2 is not kept any more: look at http"):
        client.log("run-0", "pod-2")
    assert fake.seen[-2:] == ["GET /k8s/pod/logs", "GET /apis/v1alpha1/runs/run-0/nodes/pod-2/log"]
