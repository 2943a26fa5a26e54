"""How long work tells what it does: a bar on a terminal, a few plain lines elsewhere, nothing when nobody asked."""

import sys
import threading
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

_LINE_EVERY = 0.25  # of the bytes, where there is no terminal


class Progress(Protocol):
    """What `fetch`, and other work that takes long, reports to. Methods are called from several threads."""

    def started(self, title: str, files: int, size: int) -> None:
        """A fetch of `files` files with together `size` bytes begins."""

    def advanced(self, count: int) -> None:
        """`count` more bytes have come; negative when a transfer is begun again."""

    def ended(self) -> None:
        """The fetch is over, well or badly."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""


class SilentProgress:
    """Says nothing."""

    def started(self, title: str, files: int, size: int) -> None:
        """Ignore."""

    def advanced(self, count: int) -> None:
        """Ignore."""

    def ended(self) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""


class RateColumn(ProgressColumn):
    """How many things a second."""

    def render(self, task: Task) -> Text:
        """Return it; nothing before there is a speed."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f}/s" if speed else "", style="progress.data.speed")


class BarProgress:
    """One bar for each fetch, over all its bytes; `counted`: for other work, over as many things as its size says."""

    def __init__(self, console: Console, counted: bool = False) -> None:
        self._counted = counted
        measure = (MofNCompleteColumn(), RateColumn()) if counted else (DownloadColumn(), TransferSpeedColumn())
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), *measure, TimeRemainingColumn(), console=console
        )  # fmt: skip
        self._task: TaskID | None = None

    def started(self, title: str, files: int, size: int) -> None:
        """Show a bar."""
        self._bar.start()
        self._task = self._bar.add_task(title if self._counted else f"Fetching {title}", total=size)

    def advanced(self, count: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.advance(self._task, count)

    def ended(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()
        self._task = None

    def note(self, text: str) -> None:
        """Print above the bar."""
        self._bar.console.print(text, highlight=False)


class LineProgress:
    """A line at the start and one for each quarter: what a log file can hold."""

    def __init__(self, stream: TextIO, counted: bool = False) -> None:
        self._stream = stream
        self._counted = counted
        self._lock = threading.Lock()
        self._size = self._done = 0
        self._next = _LINE_EVERY

    def started(self, title: str, files: int, size: int) -> None:
        """Print what is fetched."""
        self._size, self._done, self._next = size, 0, _LINE_EVERY
        self.note(f"{title}: {size}" if self._counted else f"Fetching {title}: {files} files, {size / 1e6:.0f} MB")

    def advanced(self, count: int) -> None:
        """Print each quarter once."""
        with self._lock:
            self._done += count
            if self._done < self._next * self._size:
                return
            share = min(1.0, self._done / max(1, self._size))
            self._next = share - share % _LINE_EVERY + _LINE_EVERY
        self.note(f"  {share:.0%}")

    def ended(self) -> None:
        """Nothing to tidy up."""

    def note(self, text: str) -> None:
        """Print a line."""
        print(text, file=self._stream, flush=True)


def console_progress(stream: TextIO | None = None, counted: bool = False) -> Progress:
    """Return the progress that suits the stream (default: standard error); `counted` for work other than fetching."""
    stream = stream or sys.stderr
    if stream.isatty():
        return BarProgress(Console(file=stream), counted)
    return LineProgress(stream, counted)


class Reported:
    """The span of one fetch: `started` on entry, `ended` whatever happens."""

    def __init__(self, progress: Progress, title: str, files: int, size: int) -> None:
        self._progress, self._what = progress, (title, files, size)

    def __enter__(self) -> Self:
        self._progress.started(*self._what)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.ended()
