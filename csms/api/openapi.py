"""``/openapi.json``: the API described (OpenAPI 3.1), made from the same table of routes that serves it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, get_type_hints

import msgspec
import orjson
from msgspec import UNSET, Struct

import csms
from csms.api.parameters import PATH
from csms.api.problems import MEDIA as PROBLEM
from csms.api.problems import ProblemBody
from csms.api.routes import JSON, PREFIX, Answer, Asked, Exchange, Route, Shown

_PARAMETER = re.compile(r"\{(\w+)\}")
_ALWAYS = (400, 401, 403, 406, 414, 421, 431, 503)
_WITH_BODY = (413, 415)
_REFERENCE = "#/components/schemas/{name}"
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {}]


class OpenApi:
    """The description, encoded once."""

    def __init__(self, others: Iterable[Route]) -> None:
        self._own = Route(
            "GET", "/openapi.json", "getOpenApi", "This description", self.get, {200: dict[str, Any]}
        )  # fmt: skip
        self._text = orjson.dumps(document([*others, self._own]))

    def routes(self) -> Sequence[Route]:
        """Return the route of this resource."""
        return [self._own]

    async def get(self, exchange: Exchange) -> Answer:
        """Return the description."""
        del exchange
        return Answer(self._text)


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the description of routes."""
    types = _Types(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route, types)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "csms",
            "version": csms.__version__,
            "description": "A charging station management daemon. Errors are problem details (RFC 9457). "
            "`security` names the role that a token needs: read, operate or admin.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": types.components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": _SECURITY,
    }


class _Types:
    """The schemas of all types of the routes."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._known: list[Any] = [ProblemBody]
        for route in routes:
            self._known += [PATH[name] for name in _PARAMETER.findall(route.path)]
            self._known += [hint for _, hint in _fields(route.query)]
            self._known += [route.body.kind] if route.body is not None else []
            self._known += [kind for kind in route.answers.values() if kind is not None]
        schemas, self.components = msgspec.json.schema_components(self._known, ref_template=_REFERENCE)
        self._schemas = dict(zip(map(id, self._known), schemas, strict=True))
        structures = {kind.__name__: kind for base in (Shown, Asked) for kind in _descendants(base)}
        for name, component in self.components.items():
            structure = structures.get(name)
            if structure is not None and issubclass(structure, Shown):
                _be_exact(component, structure)
        self.components["ProblemBody"]["required"] = ["type", "title", "status", "detail"]

    def schema(self, kind: Any) -> dict[str, Any]:
        found = self._schemas.get(id(kind))
        return found if found is not None else msgspec.json.schema(kind)


def _operation(route: Route, types: _Types) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.path.split("/")[1].removesuffix(".json")],
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": types.schema(PATH[name])}
                for name in _PARAMETER.findall(route.path)
            ),
            *_query_parameters(route.query),
            *(
                {"name": header.name, "in": "header", "description": header.description, "schema": header.schema}
                for header in route.headers
            ),
        ],
        "responses": _responses(route, types),
        # The role that the token needs (OpenAPI 3.1 §4.8.30); none is asked for where http.token is not set.
        "security": [{"bearer": [route.role]}, {}],
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": route.body.required,
            "content": {route.body.media: {"schema": types.schema(route.body.kind)}},
        }
    return operation


def _query_parameters(kind: type[Asked]) -> list[dict[str, Any]]:
    """Return the parameters of a query. Each has the schema of its member, alone: none of them is a structure."""
    _, components = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    body = components[kind.__name__]
    required = body.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in body.get("properties", {}).items()
    ]


def _responses(route: Route, types: _Types) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, kind in route.answers.items():
        response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if kind is not None:
            content = {JSON: {"schema": types.schema(kind)}} if route.offers_json else {}
            content |= {media: {"schema": {"type": "string"}} for media in route.media}
            response["content"] = content
        responses[str(status)] = response
    problems = {*_ALWAYS, *(_WITH_BODY if route.body is not None else ()), *route.problems}
    for status in sorted(problems):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM: {"schema": {"$ref": _REFERENCE.format(name="ProblemBody")}}},
        }
    return responses


def _fields(kind: type[Struct]) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return [(field.encode_name, hints[field.name]) for field in msgspec.structs.fields(kind)]


def _be_exact(component: dict[str, Any], structure: type[Shown]) -> None:
    """Say which members an answer always has: an encoder leaves out only what is UNSET."""
    for member in component["properties"].values():
        member.pop("default", None)
    component["required"] = [
        field.encode_name for field in msgspec.structs.fields(structure) if field.default is not UNSET
    ]


def _descendants(base: type[Any]) -> list[type[Any]]:
    return [kind for child in base.__subclasses__() for kind in (child, *_descendants(child))]
