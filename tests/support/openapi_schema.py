"""OpenAPI 3.1 as a JSON schema: as much of the specification as our description uses, and nothing that it does not have."""

from typing import Any

JSON = dict[str, Any]

_TEXT: JSON = {"type": "string", "minLength": 1}
_SCHEMA: JSON = {"type": ["object", "boolean"]}  # of JSON Schema's own, which is checked by its metaschema
_REF: JSON = {
    "type": "object",
    "properties": {"$ref": {"type": "string", "pattern": "^#/components/[A-Za-z]+/[A-Za-z0-9._-]+$"}},
    "required": ["$ref"],
    "additionalProperties": False,
}


def _object(needed: tuple[str, ...] = (), /, **properties: JSON) -> JSON:
    return {
        "type": "object",
        "properties": properties,
        "required": list(needed),
        "additionalProperties": False,
    }


def _map(of: JSON, names: str = ".") -> JSON:
    return {"type": "object", "patternProperties": {names: of}, "additionalProperties": False}


_HEADER = {
    "anyOf": [_REF, _object(("schema",), description=_TEXT, required={"type": "boolean"}, schema=_SCHEMA)]
}
_MEDIA = _object(
    (),
    schema=_SCHEMA,
    example={},
    examples=_map(_object(("value",), summary=_TEXT, value={})),
    encoding=_map(_object((), contentType=_TEXT)),
)
_LINK = _object(
    ("operationId",),
    operationId=_TEXT,
    description=_TEXT,
    parameters=_map({"type": "string", "pattern": r"^\$(response|request)\."}),
)
_RESPONSE = _object(
    ("description",),
    description=_TEXT,
    headers=_map(_HEADER),
    content=_map(_MEDIA, r"^(\*|[a-z-]+)/(\*|[a-z0-9.+-]+)$"),
    links=_map(_LINK, r"^[A-Za-z0-9._-]+$"),
)
_PARAMETER = _object(
    ("name", "in", "schema"),
    **{"name": _TEXT, "in": {"enum": ["query", "path", "header"]}, "required": {"type": "boolean"}},
    description={"type": "string"},
    schema=_SCHEMA,
) | {
    "if": {"properties": {"in": {"const": "path"}}},
    "then": {"properties": {"required": {"const": True}}, "required": ["required"]},
}
_SECURITY = {"type": "array", "items": _map({"type": "array", "items": _TEXT})}
_OPERATION = _object(
    ("operationId", "summary", "responses"),
    operationId={"type": "string", "pattern": "^[a-z0-9-]+$"},
    summary=_TEXT,
    description=_TEXT,
    parameters={"type": "array", "items": _PARAMETER},
    requestBody=_object(("content",), content=_map(_MEDIA), required={"type": "boolean"}, description=_TEXT),
    responses=_map(_RESPONSE, r"^([1-5][0-9][0-9]|default)$") | {"minProperties": 1},
    security=_SECURITY,
)
_PATH = _object((), **dict.fromkeys(("get", "put", "post", "delete", "head", "patch"), _OPERATION))

OPENAPI = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_object(
        ("openapi", "info", "paths"),
        openapi={"type": "string", "pattern": r"^3\.1\.[0-9]+$"},
        info=_object(("title", "version"), title=_TEXT, version=_TEXT, summary=_TEXT, description=_TEXT),
        security=_SECURITY,
        paths=_map(_PATH, "^/"),
        components=_object(
            (),
            schemas=_map(_SCHEMA, "^[A-Za-z0-9._-]+$"),
            headers=_map(_HEADER),
            securitySchemes=_map(
                _object(
                    ("type", "scheme"), type={"const": "http"}, scheme={"const": "bearer"}, description=_TEXT
                )
            ),
        ),
    ),
}
