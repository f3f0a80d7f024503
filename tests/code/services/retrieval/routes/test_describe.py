"""What is told of what is served is as its models say."""

import pytest

from services.retrieval.routes import ENDPOINTS
from tests.support.application import Client


@pytest.mark.parametrize("name", ["taxonomy", "generation", "stats", "examples", "generations"])
@pytest.mark.parametrize("catalogue", ["client", "sets_client"])
def test_each_is_as_its_model_says(catalogue: str, name: str, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(catalogue)
    (endpoint,) = (endpoint for endpoint in ENDPOINTS if endpoint.name == name)
    got = client("GET", endpoint.path)
    assert got.status_code == 200
    assert endpoint.told
    endpoint.told.model_validate(got.json())
