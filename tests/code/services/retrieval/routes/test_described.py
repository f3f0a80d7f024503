"""The description of the API is OpenAPI 3.1, whole, and every name in it leads somewhere."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from services.retrieval.access.roles import Role
from services.retrieval.bodies import IMAGE, Form
from services.retrieval.query import PARAMETERS, search_of
from services.retrieval.routes import ENDPOINTS
from services.retrieval.routes.described import LINKS, described, operation_names, path_of
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.schemas.base import MOST_QUERIES
from services.retrieval.schemas.search import Answer
from services.web.refused import RefusedError
from tests.support.openapi_schema import OPENAPI

DOCUMENT = described(ENDPOINTS)
NAMES = operation_names(ENDPOINTS)
JSON = dict[str, Any]


def operation(name: str) -> JSON:
    return next(
        own for path in DOCUMENT["paths"].values() for own in path.values() if own["operationId"] == name
    )


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(found := part.get("$ref"), str):
            yield found
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from references(one)


def schemas(part: Any) -> Iterator[Any]:
    """Every schema outside of the components."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "schema":
                yield value
            else:
                yield from schemas(value)
    elif isinstance(part, list):
        for one in part:
            yield from schemas(one)


def test_it_is_openapi() -> None:
    Draft202012Validator.check_schema(OPENAPI)
    Draft202012Validator(OPENAPI).validate(DOCUMENT)
    for schema in (*schemas(DOCUMENT["paths"]), *DOCUMENT["components"]["schemas"].values()):
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "wrong",
    [
        {"openapi": "3.0.3"},
        {"paths": {"v1": {}}},
        {"paths": {"/": {"get": {"operationId": "x", "summary": "x"}}}},
        {"servers": []},
    ],
)
def test_what_is_none_is_seen(wrong: JSON) -> None:
    assert not Draft202012Validator(OPENAPI).is_valid(DOCUMENT | wrong)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 20
    for reference in found:
        _, kind, name = reference.removeprefix("#").strip("/").split("/")
        assert name in DOCUMENT["components"][kind], reference


def test_every_endpoint_is_there_with_its_models() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for endpoint, name in zip(ENDPOINTS, NAMES, strict=True):
        found = DOCUMENT["paths"][path_of(endpoint)][endpoint.method.lower()]
        assert found["operationId"] == name
        assert found["summary"]
        in_path = {one["name"] for one in found["parameters"] if one["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", path_of(endpoint)))
        assert (found.get("security") == []) == (endpoint.access == "public")
        content = found["responses"]["200"]["content"]
        if path_of(endpoint).startswith("/v1/") and endpoint.gives == "application/json" and endpoint.told:
            assert content["application/json"]["schema"]["$ref"].endswith(f"/{endpoint.told.__name__}")
        if endpoint.body:
            schema = found["requestBody"]["content"]["application/json"]["schema"]
            assert schema["$ref"].endswith(f"/{endpoint.body.__name__}")
            assert {"400", "413", "415"} <= found["responses"].keys()
        if endpoint.parameters:
            in_query = {one["name"] for one in found["parameters"] if one["in"] == "query"}
            assert in_query == set(endpoint.parameters.model_fields)
        if endpoint.access != "public":
            assert {"401", "403", "429", "503"} <= found["responses"].keys()
        assert "default" in found["responses"]


def test_every_link_leads_to_an_operation_that_has_its_parameters() -> None:
    linked = 0
    for name in NAMES:
        for to, link in operation(name)["responses"]["200"].get("links", {}).items():
            target = operation(to)
            assert link["operationId"] == to
            known = {one["name"] for one in target["parameters"]}
            required = {one["name"] for one in target["parameters"] if one.get("required")}
            assert set(link["parameters"]) <= known
            assert required <= set(link["parameters"])
            linked += 1
    assert linked
    assert LINKS["generations"]["publish"].keys() == {"generation"}
    assert "publish" in operation("generations")["responses"]["200"]["links"]


def test_a_search_is_described_in_every_form() -> None:
    content = operation("search")["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data", "image/*"}
    form = content["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {IMAGE, *PARAMETERS}
    assert form["properties"][IMAGE]["maxItems"] == MOST_QUERIES
    kinds = DOCUMENT["components"]["schemas"]["SearchBody"]["anyOf"]
    assert [one["$ref"].rpartition("/")[2] for one in kinds] == ["ByPicture", "ByItem", "ByCode", "Batch"]
    assert "null" not in str(operation("search")["parameters"])


def test_items_are_described_in_every_form() -> None:
    put = operation("put-item")["requestBody"]["content"]
    assert set(put) == {"application/json", "multipart/form-data", "image/*"}
    assert put["multipart/form-data"]["schema"]["properties"][IMAGE]["type"] == "string"  # one
    several = operation("put-items")["requestBody"]["content"]
    assert set(several) == {"application/json", "multipart/form-data"}
    form = several["multipart/form-data"]
    assert form["encoding"] == {"items": {"contentType": "application/json"}}
    assert form["schema"]["required"] == ["items"]
    assert form["schema"]["additionalProperties"]["contentMediaType"] == "image/*"  # the files


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        (
            "PutBody",
            [{"image": "x"}, {"image": "x", "code": None}, {"code": "x", "generation": "y", "tags": []}],
            [{}, {"code": "x"}, {"image": "x", "code": "x", "generation": "y"}, {"image": None}],
        ),
        (
            "BatchItem",
            [
                {"id": "i", "file": "x"},
                {"id": "i", "image": "x"},
                {"id": "i", "code": "x", "generation": "y"},
            ],
            [{"id": "i"}, {"id": "i", "file": "x", "image": "x"}, {"file": "x"}],
        ),
        ("EncodeBody", [{"image": "x"}, {"images": ["x"]}], [{}, {"image": "x", "images": ["x"]}]),
    ],
)
def test_of_several_kinds_it_is_exactly_one(name: str, right: list[JSON], wrong: list[JSON]) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    validator = Draft202012Validator({"components": DOCUMENT["components"]} | schema)
    assert [one for one in right if not validator.is_valid(one)] == []
    assert [one for one in wrong if validator.is_valid(one)] == []


def test_what_is_open_needs_no_key() -> None:
    needed: dict[Role | None, set[str]] = {}
    roles: tuple[Role | None, ...] = (None, "search", "write")
    for role in roles:
        document = described(ENDPOINTS, role)
        own = [one for path in document["paths"].values() for one in path.values()]
        needed[role] = {one["operationId"] for one in own if "security" not in one}
    assert {"search", "put-item", "rollback"} <= needed[None]
    assert needed["search"] == needed[None] - {name for name in needed[None] if "search" in access_of(name)}
    assert needed["write"] == {"publish", "rollback"}


def access_of(name: str) -> str:
    return ENDPOINTS[NAMES.index(name)].access


@pytest.mark.parametrize("name", ["search", "encode", "publish", "rollback"])
def test_examples_are_what_their_schemas_say(name: str) -> None:
    """Of the models that JSON bodies are: made of the examples of their fields, they are what is taken."""
    schemas = DOCUMENT["components"]["schemas"]
    endpoint: Endpoint = ENDPOINTS[NAMES.index(name)]
    assert endpoint.body
    body = schemas[endpoint.body.__name__]
    models = [schemas[own["$ref"].rpartition("/")[2]] for own in body.get("anyOf", [])] or [body]
    document = {"components": DOCUMENT["components"], "$schema": OPENAPI["$schema"]}
    for made in body.get("examples", []):
        Draft202012Validator(document | body).validate(made)
    for model in models:
        made = {
            field: own["examples"][0] for field, own in model["properties"].items() if own.get("examples")
        }
        assert set(model.get("required", [])) <= set(made)
        Draft202012Validator(document | model).validate(made)


def test_examples_of_searches_are_read_and_those_of_answers_are_answers() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    read = [
        search_of(json.dumps(one).encode(), Form(is_json=True), [], 50)
        for one in schemas["SearchBody"]["examples"]
    ]
    assert [one.is_batch for one in read] == [False, False, False, True]
    assert not any(isinstance(query, RefusedError) for one in read for query in one.queries)
    for one in schemas["Answer"]["examples"]:
        Answer.model_validate(one)


def test_what_is_put_may_be_new_and_keys_are_told_where_they_are_needed() -> None:
    answer = ENDPOINTS[0].answer
    made_up = Endpoint("PUT", "/v1/made-up/{item:item_id}", answer, "made-up", "write")
    document = described([made_up, Endpoint("POST", "/v1/made-up-admin", answer, "made-up-admin", "admin")])
    Draft202012Validator(OPENAPI).validate(document)
    put = document["paths"]["/v1/made-up/{item}"]["put"]
    assert {"200", "201"} <= put["responses"].keys()
    assert "role write" in put["description"]
    assert [own["name"] for own in put["parameters"]] == ["item"]
    assert "201" not in document["paths"]["/v1/made-up-admin"]["post"]["responses"]


def test_what_has_a_tag_says_so_and_that_who_has_it_is_told_so() -> None:
    tagged = {
        name: own
        for path in DOCUMENT["paths"].values()
        for own in path.values()
        for name in [own["operationId"]]
        if "etag" in own["responses"]["200"]["headers"]
    }
    assert tagged.keys() == {name for name, endpoint in zip(NAMES, ENDPOINTS, strict=True) if endpoint.tagged}
    assert {"page", "map", "thumbnail", "image"} <= tagged.keys()
    for own in tagged.values():
        assert "content" not in own["responses"]["304"]
        assert [one["name"] for one in own["parameters"] if one["in"] == "header"] == ["If-None-Match"]
    assert "304" not in operation("search")["responses"]
