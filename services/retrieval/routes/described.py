"""The description of the API for programs: OpenAPI 3.1, made of the table of endpoints and their models."""

import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services.retrieval.access.roles import Role, allows
from services.retrieval.routes.endpoint import Endpoint
from services.retrieval.schemas.search import Problem
from services.web.problems import MEDIA_TYPE, TITLES

JSON = dict[str, Any]

_REFERENCE = "#/components/schemas/{model}"
_FILE: JSON = {"type": "string", "contentMediaType": "image/*"}
_ITEMS = ("item", "similar", "thumbnail", "image")
# Where an answer leads: the operations, and what of the answer are their parameters.
LINKS: dict[str, dict[str, JSON]] = {
    "search": {name: {"id": "$response.body#/results/0/id"} for name in _ITEMS},
    "similar": {name: {"id": "$response.body#/results/0/id"} for name in _ITEMS},
    "examples": {name: {"id": "$response.body#/items/0/id"} for name in _ITEMS},
    "map": {name: {"id": "$response.body#/sample/0/id"} for name in _ITEMS},
    "put-item": {
        "item": {"id": "$response.body#/id", "token": "$response.body#/token"},
        "similar": {"id": "$response.body#/id", "token": "$response.body#/token"},
        **{name: {"id": "$response.body#/id"} for name in ("thumbnail", "image", "edit-item", "delete-item")},
    },
    "edit-item": {"item": {"id": "$response.body#/id", "token": "$response.body#/token"}},
    "put-items": {
        "item": {"id": "$response.body#/results/0/id", "token": "$response.body#/token"},
        "delete-item": {"id": "$response.body#/results/0/id"},
    },
    "delete-item": {"item": {"id": "$response.body#/id", "token": "$response.body#/token"}},
    "generations": {
        "publish": {"generation": "$response.body#/published"},
        "lineage": {"generation": "$response.body#/published"},
    },
    "lineage": {"lineage": {"generation": "$response.body#/lineage/0/replaced"}},
}
_IF_NONE_MATCH: JSON = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "`ETag` of an answer from before",
    "schema": {"type": "string"},
}
_OF_KEYS = {
    "401": "No key that is in force.",
    "403": "The key may not do this, or a page of another site asks.",
    "429": "Too much to do just now, or too often for this key.",
}
_OF_BODIES = {
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "A content type that is not read.",
    "422": "A picture that cannot be read.",
}


def described(endpoints: Sequence[Endpoint], open_to: Role | None = None) -> JSON:
    """The document.

    Args:
        open_to: what is open without a key.
    """
    models = {model for own in endpoints for model in (own.parameters, own.body, own.told) if model} | {
        Problem
    }
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in ordered], ref_template=_REFERENCE)
    names = operation_names(endpoints)
    takes = {name: _parameters(endpoint) for name, endpoint in zip(names, endpoints, strict=True)}
    paths: JSON = {}
    for endpoint, name in zip(endpoints, names, strict=True):
        paths.setdefault(path_of(endpoint), {})[endpoint.method.lower()] = _operation(
            endpoint, name, takes, open_to
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "taxohash",
            "version": _version(),
            "summary": "Image retrieval that knows the label hierarchy.",
            "description": "Every answer names in `x-generation` the generation that it is of, and in `x-request-id` its request.",
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, see `taxohash keys`."}
            },
            "headers": {
                "x-request-id": _header("id of the request, as in the log") | {"required": True},
                "x-generation": _header(
                    "id of the generation that the answer is of; none before one is loaded"
                ),
                "etag": _header("tells the answer apart from those of before") | {"required": True},
                "retry-after": _header("seconds after which to ask again"),
            },
        },
    }


def path_of(endpoint: Endpoint) -> str:
    """The path without what Starlette is told of its parts."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", endpoint.path)


def operation_names(endpoints: Sequence[Endpoint]) -> list[str]:
    """A name of each: the endpoint's own, or for a second path of one `name-at-path`."""
    names: list[str] = []
    for endpoint in endpoints:
        names.append(endpoint.name if endpoint.name not in names else f"{endpoint.name}-at-path")
    return names


def _operation(endpoint: Endpoint, name: str, takes: dict[str, list[JSON]], open_to: Role | None) -> JSON:
    told = (endpoint.answer.__doc__ or "").strip()
    operation: JSON = {
        "operationId": name,
        "summary": told.partition("\n")[0],
        "parameters": takes[name],
        "responses": _responses(endpoint, _links(endpoint, name, takes)),
    }
    operation["description"] = (
        "Open to everybody."
        if endpoint.access == "public"
        else f"For keys of the role {endpoint.access}, and of those above it."
    )
    if endpoint.access == "public":
        operation["security"] = []
    elif open_to and allows(open_to, endpoint.access):
        operation["security"] = [{}, {"key": []}]
    if endpoint.body:
        operation["requestBody"] = {
            "required": True,
            "content": {kind: _content(endpoint, kind) for kind in endpoint.takes},
        }
    return operation


def _parameters(endpoint: Endpoint) -> list[JSON]:
    in_path: list[JSON] = [
        {"name": part, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for part in _parts(endpoint)
    ]
    in_header = [_IF_NONE_MATCH] if endpoint.tagged else []
    return in_path + (_in_query(endpoint.parameters) if endpoint.parameters else []) + in_header


def _links(endpoint: Endpoint, name: str, takes: dict[str, list[JSON]]) -> JSON:
    """Where the answer leads: to operations that there are, and that take what leads to them."""
    own = LINKS.get(endpoint.name, {}) if name == endpoint.name else {}
    known = {to: {one["name"] for one in parameters} for to, parameters in takes.items()}
    return {
        to: {"operationId": to, "parameters": given}
        for to, given in own.items()
        if given.keys() <= known.get(to, set())
    }


def _parts(endpoint: Endpoint) -> list[str]:
    return re.findall(r"\{(\w+)", endpoint.path)


def _in_query(model: type[BaseModel]) -> list[JSON]:
    schema = model.model_json_schema(ref_template=_REFERENCE)
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": own.get("description", ""),
            "schema": _given(own),
        }
        for name, own in schema.get("properties", {}).items()
    ]


def _given(schema: JSON) -> JSON:
    """The schema of a value that is given: a query string has no null."""
    kept = {key: value for key, value in schema.items() if key not in ("description", "anyOf")}
    if kept.get("default", 0) is None:
        del kept["default"]
    parts = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    return kept | (parts[0] if len(parts) == 1 else {"anyOf": parts} if parts else {})


def _content(endpoint: Endpoint, kind: str) -> JSON:
    """What a body of a content type looks like."""
    if kind == "application/json":
        return {"schema": _of(endpoint.body)}
    if kind != "multipart/form-data":
        return {"schema": {"type": "string", "contentMediaType": kind, "minLength": 1}}
    if endpoint.named_files:
        return _named_files(endpoint)
    model = endpoint.parameters
    known = model.model_json_schema(ref_template=_REFERENCE).get("properties", {}) if model else {}
    properties = {name: _given(own) for name, own in known.items()}
    properties["image"] = _FILE
    if endpoint.pictures > 1:
        properties["image"] = {
            "type": "array",
            "items": _FILE,
            "minItems": 1,
            "maxItems": endpoint.pictures,
            "description": "one picture, or several that each get an answer of their own",
        }
    return {"schema": _form(properties)}


def _named_files(endpoint: Endpoint) -> JSON:
    """A form that has the fields of the body as JSON, and files that these name."""
    assert endpoint.body
    fields = endpoint.body.model_json_schema(ref_template=_REFERENCE)["properties"]
    encoding = {name: {"contentType": "application/json"} for name in fields}
    return {"schema": _form(fields) | {"additionalProperties": _FILE}, "encoding": encoding}


def _form(properties: JSON) -> JSON:
    required = [name for name in ("image", "items") if name in properties]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _responses(endpoint: Endpoint, links: JSON) -> JSON:
    content: JSON = {endpoint.gives: {"schema": _of(endpoint.told)} if endpoint.told else {}}
    good: JSON = {
        "description": "The answer.",
        "content": content,
        "headers": _headers("x-request-id", "x-generation", *(["etag"] if endpoint.tagged else [])),
    }
    if links:
        good["links"] = links
    problems = dict(_OF_KEYS) if endpoint.access != "public" else {}
    if endpoint.body or endpoint.parameters or endpoint.access != "public":
        problems["400"] = "What was asked cannot be, and why."
    if endpoint.body:
        problems |= _OF_BODIES
    if _parts(endpoint) or endpoint.parameters or endpoint.body:
        problems |= {"404": "There is no such thing.", "409": "What is there does not allow it."}
    if endpoint.may_lack:
        problems["404"] = "There is none."
    if endpoint.access != "public":
        problems["503"] = "Not now: nothing is loaded, something does not answer, or the time is over."
    made = (
        {"201": good | {"description": "The answer; there was none before."}}
        if endpoint.method == "PUT"
        else {}
    )
    return {
        "200": good,
        **made,
        **(
            {"304": {"description": "Who asks has the answer.", "headers": good["headers"]}}
            if endpoint.tagged
            else {}
        ),
        **{status: _problem(status, words) for status, words in sorted(problems.items())},
        "default": _problem(
            "", f"Whatever else goes wrong; `type` is `urn:taxohash:` and one of {', '.join(sorted(TITLES))}."
        ),
    }


def _problem(status: str, words: str) -> JSON:
    headers = _headers("x-request-id", "x-generation", *(["retry-after"] if status in ("429", "503") else []))
    return {"description": words, "content": {MEDIA_TYPE: {"schema": _of(Problem)}}, "headers": headers}


def _of(model: type[BaseModel] | None) -> JSON:
    assert model
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _headers(*names: str) -> JSON:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _header(words: str) -> JSON:
    return {"description": words, "schema": {"type": "string"}}


def _version() -> str:
    try:
        return version("taxohash")
    except PackageNotFoundError:  # sources that are run as they are
        return "0"
