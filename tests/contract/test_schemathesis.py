"""Generated requests against the API document: no 500, no undocumented status, no answer off its schema."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract.examples import World, maker_of
from tests.contract.operations import Operation, document, each_operation

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(document())
# The same requests in every run; few of each, for there are many routes.
BOUNDED = settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@schemathesis.serializer("application/x-ndjson")
def as_lines(context: Any, value: Any) -> bytes:
    """Send what was generated for a body of lines as it is."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module", autouse=True)
def over_our_app(app: Flask) -> None:
    """Let the generated requests go to the app in process."""
    SCHEMA.app = app


class TestGeneratedRequest:
    @each_operation
    def test_that_fits_the_document_is_answered_by_it(self, operation: Operation, world: World) -> None:
        names = {name: world.id(maker_of(operation, name)) for name in operation.parameters}
        generated(operation, world, GenerationMode.POSITIVE, names)

    @each_operation
    def test_that_breaks_the_document_is_answered_by_it(self, operation: Operation, world: World) -> None:
        if operation.body is None and not operation.query and not operation.parameters:
            generated(operation, world, GenerationMode.POSITIVE, {})
        else:
            generated(operation, world, GenerationMode.NEGATIVE, {})


def generated(operation: Operation, world: World, mode: GenerationMode, names: dict[str, str]) -> None:
    """Send generated requests and check the answers; `names` fill the path where they are given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strategy: st.SearchStrategy[schemathesis.Case[Any]] = SCHEMA[operation.path][operation.verb].as_strategy(
            generation_mode=mode
        )

        @BOUNDED
        @given(case=strategy)
        def send(case: schemathesis.Case[Any]) -> None:
            if names:
                case.path_parameters = names
            case.call_and_validate(headers={"Authorization": f"Bearer {world.caller.key}"}, checks=CHECKS)

        send()


def test_an_undocumented_status_would_be_found(world: World) -> None:
    case = SCHEMA["/v1/agents"]["GET"].Case()
    with pytest.raises(FailureGroup, match="Undocumented status code"):
        case.validate_response(world.caller.get("/v1/nothing"), checks=CHECKS)
