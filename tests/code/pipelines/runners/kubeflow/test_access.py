"""Where Kubeflow is and who asks, as the environment says it."""

from pathlib import Path

import pytest

from pipelines.runners.kubeflow.access import Access
from taxohash.errors import TaxohashError

ENDPOINT = {"KF_PIPELINES_ENDPOINT": "https://kubeflow.example/pipeline/"}


def test_only_the_endpoint_is_needed() -> None:
    access = Access.from_environment(environment=ENDPOINT)
    assert (access.endpoint, access.ui) == ("https://kubeflow.example/pipeline",) * 2
    assert (access.namespace, access.token, access.cookies, access.ca_cert) == ("taxohash", None, None, None)


def test_the_command_line_wins() -> None:
    given = {
        **ENDPOINT,
        "KF_PIPELINES_NAMESPACE": "shop",
        "KF_PIPELINES_UI_ENDPOINT": "https://pages.example",
    }
    access = Access.from_environment("http://127.0.0.1:8080", "night", given)
    assert (access.endpoint, access.namespace) == ("http://127.0.0.1:8080", "night")
    assert access.ui == "https://pages.example"
    assert Access.from_environment(environment=given).namespace == "shop"


def test_a_token_is_read_from_its_file_when_it_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret")
    access = Access.from_environment(environment={**ENDPOINT, "KF_PIPELINES_SA_TOKEN_PATH": str(file)})
    assert (access.token, access.token_file) == (None, file)


def test_secrets_are_not_shown() -> None:
    given = {**ENDPOINT, "KF_PIPELINES_TOKEN": "secret-1", "KF_PIPELINES_COOKIES": "session=secret-2"}
    access = Access.from_environment(environment=given)
    assert (access.token, access.cookies) == ("secret-1", "session=secret-2")
    assert "secret" not in repr(access)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "no Kubeflow is named: set KF_PIPELINES_ENDPOINT to its address"),
        ({"KF_PIPELINES_ENDPOINT": "kubeflow.example"}, "address 'kubeflow.example' of Kubeflow is none"),
        ({"KF_PIPELINES_ENDPOINT": "http://[kubeflow"}, "address 'http://[kubeflow' of Kubeflow is none"),
        ({"KF_PIPELINES_ENDPOINT": "ftp://kubeflow.example"}, "address 'ftp://kubeflow.example' of Kubeflow"),
        (
            {**ENDPOINT, "KF_PIPELINES_CA_CERT": "/no/file"},
            "KF_PIPELINES_CA_CERT is '/no/file', where no file is",
        ),
        ({**ENDPOINT, "KF_PIPELINES_SA_TOKEN_PATH": "/no/file"}, "KF_PIPELINES_SA_TOKEN_PATH is '/no/file'"),
    ],
)
def test_what_cannot_be_is_one_line(given: dict[str, str], told: str) -> None:
    with pytest.raises(TaxohashError) as refused:
        Access.from_environment(environment=given)
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_a_password_in_the_address_is_refused_without_being_shown() -> None:
    with pytest.raises(TaxohashError, match="holds a password") as refused:
        Access.from_environment("https://me:secret@kubeflow.example", environment={})
    assert "secret" not in str(refused.value)
