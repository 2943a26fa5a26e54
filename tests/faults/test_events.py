"""Events with a real server whose worker is killed: `make bench-events` at a hundredth of its size."""

from pathlib import Path

import pytest

from bench.events import SETTINGS, consuming, delivered, delivery_faults
from bench.story_events import faults
from tests.live.server import running

pytestmark = pytest.mark.slow


def test_a_webhook_gets_each_event_at_least_once_in_order_and_none_invented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    with running(tmp_path / "home", **SETTINGS) as live, consuming() as consumer:
        story = delivered(live, consumer, changes=100, writers=8, kill_every=6.0)
    assert sum(map(len, story["done"])) >= 100
    assert story["killed"] >= 1
    assert delivery_faults(story) == []
    assert faults(story) == []
