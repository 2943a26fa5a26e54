"""Jobs with two workers in two processes that are killed in turns: `make bench-events` at a hundredth of its size."""

from pathlib import Path

import pytest

from bench.story_events import SETTINGS
from bench.story_jobs import faults, tell
from tests.live.server import running

pytestmark = pytest.mark.slow


def test_each_job_is_done_once_and_none_is_lost_when_its_worker_dies(tmp_path: Path) -> None:
    with running(tmp_path / "home", **SETTINGS) as live:
        story = tell(live, jobs=8, clients=8, kill_every=5.0)
    assert len(story["accepted"]) == 57
    assert story["killed"] >= 4
    assert faults(story) == []
