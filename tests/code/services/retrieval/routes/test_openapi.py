"""The description of the API as it is served."""

import json

from services.retrieval.routes import ENDPOINTS
from services.retrieval.routes.described import described
from tests.support.application import Client


def test_it_is_that_of_the_table(client: Client) -> None:
    for _ in range(2):  # it is made once
        got = client("GET", "/v1/openapi.json")
        assert got.status_code == 200
        assert got.headers["content-type"] == "application/json"
        assert got.json() == json.loads(json.dumps(described(ENDPOINTS)))
