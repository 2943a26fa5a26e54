"""What tests of lists share."""

from typing import Any

from tests.callers import Caller


def ids(caller: Caller, **query: Any) -> list[str]:
    """Return the ids of one page of the list."""
    response = caller.get("/v1/memories", query_string=query)
    assert response.status_code == 200, response.get_json()
    return [row["id"] for row in response.get_json()["data"]]
