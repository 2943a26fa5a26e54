"""Our `Api` (one error body) and our `Blueprint` (declared access, operation ids, documented errors)."""

import json
import math
import re
import sys
from typing import Any

import flask_smorest
import orjson
from flask import Flask, Request, Response
from flask.json.provider import JSONProvider
from gunicorn.http.errors import ParseException
from structlog import get_logger
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from app import errors, limits
from app.auth import needed_scope
from app.dialects import answer
from app.embeddings import EmbedderError
from app.samples import uuid_of
from app.schemas.common import ErrorOut
from app.spec import Plugin, finished
from graph.errors import GraphError

log = get_logger()

COMMON_ERRORS: tuple[int, ...] = (401, 403, 422, 429, 500, 503)
PUBLIC_ERRORS: tuple[int, ...] = (500, 503)
EMBEDDER_SECONDS = 5
MANY_DIGITS = re.compile(rb"[0-9]{19}")
BODY_ERRORS: tuple[int, ...] = (400, 413, 415)
# What a path names that is no UUID: its description and an example.
PATH_NAMES = {
    "agent": ("UUID or name of the agent.", "iris"),
    "job": ("The `job_id` that the store answered.", "arq:9f2c1b"),
    "slug": ("Slug of the project.", "billing"),
}


class OrJson(JSONProvider):
    """orjson, because answers with many memories are large."""

    def dumps(self, obj: Any, **_: Any) -> str:
        return orjson.dumps(obj, option=orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        body = orjson.dumps(self._prepare_response_obj(args, kwargs), option=orjson.OPT_NON_STR_KEYS)
        return Response(body, mimetype="application/json")


class Api(flask_smorest.Api):
    """flask-smorest's Api with Loci's error body for every failure, the router's own included."""

    ERROR_SCHEMA = ErrorOut

    def _init_spec(self, **options: Any) -> None:
        super()._init_spec(**{"marshmallow_plugin": Plugin(), **options})

    def _register_responses(self) -> None:
        """Add none of the framework's: `app.openapi` describes every error that is answered."""

    def _register_etag_headers(self) -> None:
        """Add none: there are no ETags."""

    def _register_pagination_header(self) -> None:
        """Add none: pages are in the body."""

    def _register_error_handlers(self) -> None:
        app: Flask = self._app
        app.register_error_handler(errors.ApiError, answer)
        app.register_error_handler(GraphError, lambda error: answer(errors.from_graph(error)))
        app.register_error_handler(EmbedderError, lambda error: answer(without_vectors(error)))
        # A body in broken chunks is read, and found to be broken, inside the app.
        app.register_error_handler(ParseException, lambda error: answer(errors.BadRequest(MESSAGES["chunks"])))
        app.register_error_handler(HTTPException, lambda error: answer(from_http(error)))
        app.register_error_handler(Exception, unexpected)


class Parser(FlaskParser):
    """Reads requests as clients really send them.

    No body is an empty object, whatever the Content-Type says; an empty query value is none: a filter nobody filled in.
    """

    # Whether a body is read as JSON whatever its Content-Type says.
    any_type = False
    DEFAULT_UNKNOWN_BY_LOCATION = dict.fromkeys(FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, None)

    def load_querystring(self, req: Request, schema: Any) -> Any:
        given = MultiDict((name, value) for name, value in req.args.items(multi=True) if value)
        return self._makeproxy(given, schema)

    def load_json(self, req: Request, schema: Any) -> Any:
        data = req.get_data(cache=True)
        # A body without a length is cut off at the limit, not refused.
        if len(data) >= (req.max_content_length or sys.maxsize):
            raise errors.TooLarge(MESSAGES[413])
        if not data.strip():
            return {}
        if not self.any_type and not is_json(req.mimetype):
            raise errors.WrongMediaType(MESSAGES[415])
        try:
            found = orjson.loads(data)
            # It makes floats of what 64 bits cannot hold; the other reader keeps them whole, to be refused by name.
            return json.loads(data) if MANY_DIGITS.search(data) else found
        except (orjson.JSONDecodeError, RecursionError) as error:
            raise errors.BadRequest(MESSAGES[400]) from error


class Blueprint(flask_smorest.Blueprint):
    """A noun's routes. `access` must be said: `tenant` (a key is needed) or `public`."""

    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, import_name: str, *, access: str = "tenant", **kwargs: Any) -> None:
        super().__init__(name, import_name, **kwargs)
        self.access = access
        self._prepare_doc_cbks.append(self._document_operation)

    def register_views_in_doc(self, api: Any, app: Flask, spec: Any, *, name: str, **kwargs: Any) -> None:
        """Give each operation an id made of its verb and its view (`getAgentItem`) before it is documented."""
        for endpoint, methods in self._docs.items():
            rule = next(app.url_map.iter_rules(f"{name}.{endpoint}"))
            methods["parameters"] = [path_parameter(argument) for argument in sorted(rule.arguments)]
            checked = any(argument == "slug" or argument.endswith("_id") for argument in rule.arguments)
            for method, info in methods.items():
                if method != "parameters":
                    info["path_is_checked"] = checked
                    with app.app_context():
                        info["scope"] = needed_scope(f"{name}.{endpoint}", method.upper())
                    info.setdefault("manual_doc", {}).setdefault("operationId", f"{method}{endpoint}")
        super().register_views_in_doc(api, app, spec, name=name, **kwargs)

    def _document_operation(
        self, doc: dict[str, Any], doc_info: dict[str, Any], *, api: Any, app: Any, spec: Any, method: str, **_: Any
    ) -> dict[str, Any]:
        responses = doc.setdefault("responses", {})
        # Every status is named: a default would declare whatever a mistake of ours answers.
        responses.pop("default", None)
        responses.pop(422, None)  # the framework's name for it, not ours
        expected = COMMON_ERRORS if self.access == "tenant" else PUBLIC_ERRORS
        if not (doc.get("parameters") or doc.get("requestBody") or doc_info["path_is_checked"]):
            expected = tuple(status for status in expected if status != 422)  # there is nothing that could be wrong
        if body := doc.get("requestBody"):
            expected += BODY_ERRORS
            body["required"] = _has_required(body)
        for status in expected:
            if status not in responses and str(status) not in responses:
                responses[str(status)] = {"$ref": f"#/components/responses/{errors.BY_STATUS[status].__name__}"}
        doc["responses"] = finished(responses, method, counted=self.access == "tenant")
        scopes = [doc_info["scope"]]
        doc["security"] = [] if self.access == "public" else [{"bearer": scopes}, {"apiKey": scopes}]
        return doc


def path_parameter(name: str) -> dict[str, Any]:
    """Return how the document describes a path parameter: `x_id` is a UUID, anything else a name."""
    noun = name.removesuffix("_id").replace("_", " ")
    schema: dict[str, Any] = {"type": "string", "format": "uuid"} if name.endswith("_id") else {"type": "string"}
    described, schema["example"] = (
        (f"UUID of the {noun}.", uuid_of(name.removesuffix("_id")))
        if name.endswith("_id")
        else PATH_NAMES.get(name, (f"The {noun}.", noun))
    )
    return {"in": "path", "name": name, "required": True, "description": described, "schema": schema}


def _has_required(body: dict[str, Any]) -> bool:
    schema = next(iter(body["content"].values()))["schema"]
    fields = (schema() if isinstance(schema, type) else schema).fields
    return any(field.required for field in fields.values())


def without_vectors(error: EmbedderError) -> errors.NotAvailable:
    """Return the answer to an embedder that fails; what it says is for the operator alone."""
    log.error("embedder_failed", kind=type(error).__name__, reason=str(error))
    wait = math.ceil(getattr(error, "retry_after", None) or EMBEDDER_SECONDS)
    return errors.NotAvailable("The embedding model does not answer now; try again", headers={"Retry-After": str(wait)})


def from_http(error: HTTPException) -> errors.ApiError:
    """Turn an error of the framework into one of ours; messages stay free of internals."""
    status = error.code or 500
    kind = errors.BY_STATUS.get(status, errors.Internal if status >= 500 else errors.BadRequest)
    data: dict[str, Any] = getattr(error, "data", None) or {}
    if status == 422:
        return validation_error(data.get("messages", {}))
    if status == 429:
        return limits.too_many(error)
    made = kind(MESSAGES.get(status, str(error.description)))
    if status == 405 and getattr(error, "valid_methods", None):
        made.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    made.headers.update(data.get("headers", {}))
    if status not in errors.BY_STATUS:
        made.status = status
    return made


MESSAGES: dict[int | str, str] = {
    "chunks": "The body is not properly chunked",
    400: "The body is not valid JSON",
    404: "There is no such route; see /docs",
    405: "This route does not take that method; `Allow` names those it does",
    413: "The body is too large; send at most 24 MB",
    415: "Send the body as `Content-Type: application/json`",
}


def validation_error(messages: dict[str, Any]) -> errors.Invalid:
    """Return one error with a `{field, message}` for each wrong field of `messages` (marshmallow's nested dict)."""
    details = [
        {"field": field, "message": message}
        for location in messages.values()
        for field, message in _flatten(location, "")
    ]
    details.sort(key=lambda detail: detail["field"])
    text = "; ".join(f"{d['field']}: {d['message']}" if d["field"] else d["message"] for d in details)
    return errors.Invalid(text or "The request is not valid", details)


def _flatten(messages: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(messages, dict):
        found = []
        for key, value in messages.items():
            step = "" if key == "_schema" else str(key)
            found += _flatten(value, f"{path}.{step}".strip(".") if step else path)
        return found
    if isinstance(messages, list):
        return [pair for item in messages for pair in _flatten(item, path)]
    return [(path, str(messages))]


def unexpected(error: Exception) -> Response:
    """Log a mistake of ours with its traceback, and tell the client nothing but the request id."""
    log.exception("unexpected_error", kind=type(error).__name__)
    return answer(errors.Internal("Something went wrong here; the request id leads to its log line"))
