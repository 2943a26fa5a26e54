import io

import pytest
from rich.console import Console

from app.local.progress import BarProgress, Reported, SilentProgress, console_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_file_gets_a_line_for_each_quarter() -> None:
    stream = io.StringIO()
    with Reported(progress := console_progress(stream), "Sample 1", 3, 4_000_000):
        for _ in range(40):
            progress.advanced(100_000)
        progress.note("done")
    assert stream.getvalue().splitlines() == [
        "Fetching Sample 1: 3 files, 4 MB", "  25%", "  50%", "  75%", "  100%", "done",
    ]  # fmt: skip


def test_other_work_than_fetching_counts_things() -> None:
    stream = io.StringIO()
    with Reported(progress := console_progress(stream, counted=True), "Embedding", 1, 8):
        for _ in range(8):
            progress.advanced(1)
        progress.advanced(0)
    assert stream.getvalue().splitlines() == ["Embedding: 8", "  25%", "  50%", "  75%", "  100%"]


def test_other_work_has_a_bar_too() -> None:
    stream = Terminal()
    progress = BarProgress(Console(file=stream, force_terminal=True, width=100), counted=True)
    with Reported(progress, "Embedding", 1, 200):
        progress.advanced(100)
    assert "Embedding" in stream.getvalue()
    assert "Fetching" not in stream.getvalue()
    assert "100/200" in stream.getvalue()


def test_one_large_step_is_one_line() -> None:
    stream = io.StringIO()
    with Reported(progress := console_progress(stream), "Sample 1", 1, 100):
        progress.advanced(90)
    assert stream.getvalue().splitlines()[1:] == ["  90%"]


def test_a_terminal_gets_a_bar() -> None:
    stream = Terminal()
    assert isinstance(console_progress(stream), BarProgress)
    progress = BarProgress(Console(file=stream, force_terminal=True, width=100))
    with Reported(progress, "Sample 1", 1, 2_000_000):
        progress.advanced(1_000_000)
        progress.note("Waiting for another process")
    assert "Fetching Sample 1" in stream.getvalue()
    assert "1.0/2.0 MB" in stream.getvalue()
    assert "Waiting for another process" in stream.getvalue()


def test_a_bar_can_be_used_for_one_fetch_after_the_other() -> None:
    stream = Terminal()
    progress = BarProgress(Console(file=stream, force_terminal=True, width=100))
    for title in ("First", "Second"):
        with Reported(progress, title, 1, 10):
            progress.advanced(10)
    assert "Fetching Second" in stream.getvalue()


def test_silence_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    progress = SilentProgress()
    with Reported(progress, "Sample 1", 1, 1):
        progress.advanced(1)
        progress.note("x")
    assert capfd.readouterr() == ("", "")
