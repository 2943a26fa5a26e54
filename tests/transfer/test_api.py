"""`/v1/transfer`: a namespace as a stream of lines, and files as jobs."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.services.transfer import uploads
from app.services.transfer.form import TransferError
from app.services.transfer.imports import Import
from app.state import State
from app.workers.imports import Worker
from graph.errors import Unavailable
from graph.imports import ImportRepository, forget_chunks
from graph.tenants import Owner
from tests.callers import Caller, error_of
from tests.transfer.conftest import Files, contents, exported, same

CHUNKS = "MATCH (c:ImportChunk {tenant: $tenant}) RETURN count(c) AS chunks"
DUE = "MATCH (j:Job {tenant: $tenant, kind: 'import'}) WHERE j.finished_at IS NULL SET j.run_at = 0"


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda file: file[:-20],
    "empty": lambda file: b"",
    "no export": lambda file: b"[]\n",
    "newer": lambda file: file.replace(b'"format":1', b'"format":9', 1),
}


def send(caller: Caller, file: bytes) -> dict[str, Any]:
    """Send a file to be imported and return the import."""
    answer = caller.post("/v1/transfer/imports", data=file)
    assert answer.status_code == 202, answer.get_json()
    return dict(answer.get_json())


def turn(caller: Caller, parts: State, worker: Worker) -> None:
    """Let a worker take this caller's import, before whatever else waits in the same queue."""
    parts.graph.write(DUE, tenant=caller.tenant)
    worker(parts)


def ended(caller: Caller, parts: State, id: str, worker: Worker | None = None) -> dict[str, Any]:
    """Work until an import is over and return it."""
    worker = worker or Worker()
    for _ in range(200):
        turn(caller, parts, worker)
        shown = dict(caller.get(f"/v1/transfer/imports/{id}").get_json())
        if shown["state"] in ("done", "failed"):
            return shown
    raise AssertionError(shown)


class TestExport:
    def test_is_the_file_that_the_command_writes(self, full: Caller, parts: State) -> None:
        answer = full.get("/v1/transfer/export?vectors=true")
        assert (answer.status_code, answer.mimetype) == (200, "application/x-ndjson")
        lines, written = answer.get_data().splitlines(), exported(parts, full.tenant).splitlines()
        told = [[each for each in map(orjson.loads, some[1:]) if "mark" not in each] for some in (lines, written)]
        assert told[0][:-1] == told[1][:-1]
        assert orjson.loads(lines[0])["namespace"] == "default"

    def test_goes_on_after_a_mark(self, full: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.services.transfer.export.STRETCH", 20)
        lines = full.get("/v1/transfer/export?vectors=true").get_data().splitlines(keepends=True)
        at = [n for n, text in enumerate(lines) if text.startswith(b'{"mark"')][4]
        mark = orjson.loads(lines[at])["mark"]
        assert full.get(f"/v1/transfer/export?after={mark}").get_data() == b"".join(lines[at + 1 :])

    def test_takes_no_mark_of_another_namespace_and_nothing_else(self, full: Caller, stranger: Caller) -> None:
        mark = orjson.loads(full.get("/v1/transfer/export").get_data().splitlines()[1])["mark"]
        for word, message in (
            (mark, "another namespace"),
            ("x", "no mark"),
            ("e30", "not a mark"),
            ("W10", "not a mark"),
        ):
            error = error_of(stranger.get(f"/v1/transfer/export?after={word}"), 422)
            assert [detail["field"] for detail in error["details"]] == ["after"]
            assert message.split()[-1] in error["message"]

    def test_shows_nothing_of_another_namespace(self, full: Caller, stranger: Caller) -> None:
        assert b"Northtrail" in full.get("/v1/transfer/export").get_data()
        assert stranger.get("/v1/transfer/export").get_data().count(b"\n") == 3


class TestImport:
    def test_brings_everything_and_says_how_much(self, full: Caller, stranger: Caller, parts: State) -> None:
        made = send(stranger, exported(parts, full.tenant))
        assert (made["state"], made["done"], made["result"], made["fault"]) == ("queued", 0, None, None)
        done = ended(stranger, parts, made["id"])
        assert (done["state"], done["done"]) == ("done", done["lines"])
        held = contents(parts, stranger.tenant)
        same(contents(parts, full.tenant), held)
        assert sum(done["result"]["made"].values()) == len(held.nodes)
        assert parts.graph.read(CHUNKS, tenant=stranger.tenant)[0]["chunks"] == 0
        assert [each["id"] for each in stranger.get("/v1/transfer/imports").get_json()["data"]] == [made["id"]]
        assert stranger.get("/v2/jobs?kind=import").get_json()["data"][0]["state"] == "done"

    def test_is_read_from_pieces_whatever_their_size(
        self, little: Files, stranger: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(uploads, "PIECE", 997)
        assert ended(stranger, parts, send(stranger, little.whole())["id"])["state"] == "done"
        same(contents(parts, little.caller.tenant), contents(parts, stranger.tenant))

    def test_names_the_line_that_is_wrong(self, small: Files, stranger: Caller, parts: State) -> None:
        small.first("Memory")["props"]["content"] = "a\x00b"
        failed = ended(stranger, parts, send(stranger, small.whole())["id"])
        assert failed["state"] == "failed"
        assert failed["fault"]["field"] == "props.content"
        assert failed["fault"]["line"] > 1
        assert contents(parts, stranger.tenant).nodes == {}
        assert parts.graph.read(CHUNKS, tenant=stranger.tenant)[0]["chunks"] == 0

    @pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
    def test_refuses_at_once_what_is_no_whole_export(
        self, spoil: Callable[[bytes], bytes], little: Files, stranger: Caller, parts: State
    ) -> None:
        error_of(stranger.post("/v1/transfer/imports", data=spoil(little.whole())), 422)
        assert parts.graph.read(CHUNKS, tenant=stranger.tenant)[0]["chunks"] == 0
        assert stranger.get("/v1/transfer/imports").get_json()["data"] == []

    def test_refuses_what_is_too_large(self, stranger: Caller, parts: State, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(uploads, "MEGABYTE", 1)
        monkeypatch.setattr(sys.modules["app.resources.transfer"], "MEGABYTE", 1)
        error = error_of(stranger.post("/v1/transfer/imports", data=b"x" * 5000), 413)
        assert "loci import" in error["message"]
        tight = replace(parts, settings=replace(parts.settings, import_mb=1))
        with pytest.raises(Exception, match="at most 1 MB"):
            uploads.accept(tight, stranger, lambda n: b"x" * 100)  # type: ignore[arg-type]

    def test_goes_on_where_a_worker_died(
        self, full: Caller, stranger: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.services.transfer.export.STRETCH", 10)
        made = send(stranger, exported(parts, full.tenant))
        real, count = Import._keep, [0]

        def dies(self: Import) -> None:
            real(self)
            count[0] += 1
            if count[0] == 5:
                raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr(Import, "_keep", dies)
            with pytest.raises(SystemExit):
                turn(stranger, parts, Worker())
        assert stranger.get(f"/v1/transfer/imports/{made['id']}").get_json()["state"] == "running"
        assert ended(stranger, parts, made["id"])["state"] == "done"
        same(contents(parts, full.tenant), contents(parts, stranger.tenant))

    def test_gives_way_after_a_while_and_goes_on(
        self, full: Caller, stranger: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.services.transfer.export.STRETCH", 30)
        made = send(stranger, exported(parts, full.tenant))
        worker = Worker(slice_seconds=0.0)
        turn(stranger, parts, worker)
        assert stranger.get(f"/v1/transfer/imports/{made['id']}").get_json()["state"] == "queued"
        assert ended(stranger, parts, made["id"], worker)["state"] == "done"
        same(contents(parts, full.tenant), contents(parts, stranger.tenant))

    def test_is_tried_again_when_the_database_was_away(
        self, little: Files, stranger: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = send(stranger, little.whole())

        def away(self: Import) -> None:
            raise Unavailable("The database is not reachable right now")

        with monkeypatch.context() as patch:
            patch.setattr(Import, "_keep", away)
            turn(stranger, parts, Worker())
        shown = stranger.get(f"/v1/transfer/imports/{made['id']}").get_json()
        assert (shown["state"], shown["error"]) == ("queued", "The database is not reachable right now")
        assert ended(stranger, parts, made["id"])["state"] == "done"

    def test_of_another_namespace_is_not_there(self, little: Files, caller: Caller, stranger: Caller) -> None:
        made = send(caller, little.whole())
        error_of(stranger.get(f"/v1/transfer/imports/{made['id']}"), 404)
        error_of(stranger.get(f"/v1/transfer/imports/{uuid.uuid4()}"), 404)

    def test_needs_an_admin_key(self, make_caller: Callable[..., Caller]) -> None:
        lesser = make_caller("read", "write", "delete")
        for verb, path in (
            ("GET", "/v1/transfer/export"),
            ("POST", "/v1/transfer/imports"),
            ("GET", "/v1/transfer/imports"),
        ):
            error_of(lesser.call(verb, path), 403)


def test_pieces_of_an_import_that_waits_are_kept_however_old(little: Files, stranger: Caller, parts: State) -> None:
    made = send(stranger, little.whole())
    parts.graph.write("MATCH (c:ImportChunk {tenant: $tenant}) SET c.created_at = 1", tenant=stranger.tenant)
    while forget_chunks(parts.graph, 2):
        pass
    assert ended(stranger, parts, made["id"])["state"] == "done"


@pytest.mark.parametrize("begun", [False, True])
def test_a_cancelled_import_ends_and_its_file_is_forgotten(
    little: Files, stranger: Caller, parts: State, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    made = send(stranger, little.whole())

    def cancel() -> None:
        assert stranger.post(f"/v2/jobs/{made['id']}/cancel").get_json()["state"] == "cancelled"

    if begun:
        monkeypatch.setattr("app.workers.imports.TELL_SECONDS", 0.0)
        monkeypatch.setattr(Import, "_keep", lambda self: cancel())
        turn(stranger, parts, Worker())
    else:
        cancel()
    shown = stranger.get(f"/v1/transfer/imports/{made['id']}").get_json()
    assert (shown["state"], shown["result"], shown["fault"]) == ("cancelled", None, None)
    assert parts.graph.read(CHUNKS, tenant=stranger.tenant)[0]["chunks"] == 0


def test_a_number_of_lines_that_cannot_be_is_not_believed(little: Files, stranger: Caller) -> None:
    file = little.whole().replace(b'{"end":{', b'{"end":{"lines":18446744073709551615,', 1)
    assert send(stranger, file)["lines"] == 0


def test_pieces_that_nobody_reads_are_forgotten(stranger: Caller, parts: State) -> None:
    repository = ImportRepository(parts.graph, Owner(stranger.tenant))
    repository.keep(str(uuid.uuid4()), 0, b"left behind")
    parts.graph.write("MATCH (c:ImportChunk {tenant: $tenant}) SET c.created_at = 1", tenant=stranger.tenant)
    while forget_chunks(parts.graph, 2):
        pass
    assert parts.graph.read(CHUNKS, tenant=stranger.tenant)[0]["chunks"] == 0


def test_an_error_of_a_file_reads_as_a_sentence() -> None:
    assert str(TransferError(7, "props.id", "must be a UUID")) == "line 7, props.id: must be a UUID"
    assert str(TransferError(0, "", "the file ends")) == "the file ends"
