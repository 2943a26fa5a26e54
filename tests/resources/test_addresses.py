"""Every address that a client names is checked alike: of webhooks, of callbacks, and of language models."""

import pytest

from tests.callers import Caller, error_of
from tests.hostile_urls import HOSTILE, NAMES

# Where a name leads is looked at when it is called; what is refused at once is refused by its form.
BY_FORM = [url for url in HOSTILE if not any(f"//{name}/" in url.lower() for name in [*NAMES, "gone.example.com"])]
KEY = {"provider": "custom", "model": "m", "api_key": "sk-0123456789abcdef"}


@pytest.mark.parametrize(
    ("path", "field", "body"),
    [
        ("/v1/webhooks", "url", {}),
        ("/v2/memories", "webhook_url", {"content": "one", "agent_id": "iris"}),
        ("/v1/extraction/keys", "base_url", KEY),
    ],
)
def test_no_field_takes_a_hostile_url(caller: Caller, path: str, field: str, body: dict[str, str]) -> None:
    assert len(BY_FORM) >= 40
    taken = [url for url in BY_FORM if caller.post(path, {**body, field: url}).status_code != 422]
    assert [url for url in taken if url.strip()] == []
    answer = error_of(caller.post(path, {**body, field: "https://2130706433/"}), 422)
    assert [detail["field"] for detail in answer["details"]] == [field]
    assert caller.post(path, {**body, field: "https://hooks.example.com/"}).status_code < 300
