"""The API document in the repository is the one the running server gives, and it is a valid one."""

from __future__ import annotations

import pytest
from openapi_spec_validator import validate

from scripts import openapi

pytestmark = pytest.mark.static


def test_document_in_the_repository_is_current() -> None:
    assert openapi.is_current(), "run `make openapi`"


def test_document_is_valid() -> None:
    validate(openapi.document())


def test_operation_ids_are_there_and_differ() -> None:
    operations = [
        operation
        for path in openapi.document()["paths"].values()
        for verb, operation in path.items()
        if verb in {"get", "post", "put", "patch", "delete"}
    ]
    ids = [operation.get("operationId") for operation in operations]
    assert ids
    assert None not in ids
    assert sorted(ids) == sorted(set(ids))
