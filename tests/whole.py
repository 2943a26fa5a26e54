"""What the whole suite keeps to.

With `LOCI_TEST_FORBID_SKIPS` set, a skipped test is a failure: the gate never grows shorter unseen. Files with slow
tests come first, so that no process is left alone with them at the end.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator

import pytest

FORBIDDEN = bool(os.environ.get("LOCI_TEST_FORBID_SKIPS"))


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure; an expected failure is no skip."""
    report = yield
    if FORBIDDEN and report.skipped and not hasattr(report, "wasxfail"):
        report.longrepr, report.outcome = f"Skipped where skips are forbidden: {_reason(report)}", "failed"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file that skips itself."""
    report = yield
    if FORBIDDEN and report.skipped:
        report.longrepr, report.outcome = f"Skipped where skips are forbidden: {_reason(report)}", "failed"
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first, then the others by how many tests they have; within a file nothing moves."""
    counts = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, -counts[item.path], str(item.path)))
