"""The recorder of a dialect's answers: what it notes, and that it can find fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from app.dialects import Dialect
from scripts.docs import with_part
from tests.compat import recorder
from tests.compat.recorder import Recorder


class Tea(Dialect):
    """A dialect for these tests."""

    name, prefix = "tea", "/tea"


@pytest.fixture
def record() -> Recorder:
    """A recorder of an app with three routes, one of them no part of the dialect."""
    app = Flask("tea")
    for verb, rule in (("GET", "/tea/cups/<cup_id>"), ("POST", "/tea/cups"), ("GET", "/teapot")):
        app.add_url_rule(rule, f"{verb} {rule}", lambda: "", methods=[verb])
    return Recorder(app, Tea())


def test_a_route_is_told_by_its_rule(record: Recorder) -> None:
    asked = [("GET", "/tea/cups/7"), ("POST", "/tea/cups"), ("PUT", "/tea/cups"), ("GET", "/tea/pots")]
    assert [record.route(*each) for each in asked] == [
        "GET /tea/cups/{cup_id}", "POST /tea/cups", "other verbs", "other paths",
    ]  # fmt: skip


def test_another_status_a_fault_and_a_route_never_called_are_faults(record: Recorder) -> None:
    record.note("POST", "/tea/cups", 500, 201)
    record.note("POST", "/tea/cups", 201, 201, "tea: cold")
    assert record.faults == [
        "POST /tea/cups: answered 500, must be 201", "POST /tea/cups: tea: cold",
        "GET /tea/cups/{cup_id}: never called",
    ]  # fmt: skip
    assert record.table().splitlines()[-1] == "| `POST /tea/cups` | 201 500 | answered 500, must be 201; tea: cold |"


def test_the_table_is_compared_and_written_where_that_is_asked(
    record: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- generated: tea -->\n<!-- end -->\nafter\n")
    monkeypatch.setattr(recorder, "PAGE", page)
    monkeypatch.delenv(recorder.WRITE, raising=False)
    record.note("POST", "/tea/cups", 201, 201)
    assert not record.is_written()
    monkeypatch.setenv(recorder.WRITE, "1")
    assert record.is_written()
    monkeypatch.delenv(recorder.WRITE)
    assert record.is_written()
    assert page.read_text() == with_part(page.read_text(), "tea", record.table())
