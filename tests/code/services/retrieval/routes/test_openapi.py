"""The description of the API as it is served."""

import json

from services.retrieval.access.roles import Role
from services.retrieval.routes import ENDPOINTS
from services.retrieval.routes.described import described
from tests.support.application import Client


def test_it_is_that_of_the_table_as_it_is_open_to_who_asks(client: Client) -> None:
    roles: dict[str, Role | None] = {"localhost": "write", "example.org": None}
    for _ in range(2):  # it is made once
        for host, role in roles.items():
            got = client("GET", "/v1/openapi.json", headers={"Host": host})
            assert got.status_code == 200
            assert got.headers["content-type"] == "application/json"
            assert got.json() == json.loads(json.dumps(described(ENDPOINTS, role)))
