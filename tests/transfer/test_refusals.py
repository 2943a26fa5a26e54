"""What a file must not hold, and that nothing of it is written."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.errors import QuotaExceeded
from app.services.transfer.form import TransferError, line, packed
from app.services.transfer.lines import OF_KIND
from app.state import State
from graph.labels import VECTOR_FILTERS
from tests.callers import Caller
from tests.transfer.conftest import Files, contents, exported, imported, same

HOSTILE = "Memory {tenant: 'x'}) DETACH DELETE (n"


def change(label: str, **props: Any) -> Callable[[Files], None]:
    """Return what sets properties of the first node of a label."""
    return lambda files: files.first(label)["props"].update(props)


def drop(label: str, name: str) -> Callable[[Files], None]:
    """Return what takes a property from the first node of a label."""
    return lambda files: files.first(label)["props"].pop(name)


def top(**values: Any) -> Callable[[Files], None]:
    """Return what changes the first memory's line beside its properties."""
    return lambda files: files.first("Memory").update(values)


def link(**values: Any) -> Callable[[Files], None]:
    """Return what changes the first relationship."""
    return lambda files: next(each for each in files.lines if "relationship" in each).update(values)


def head(**values: Any) -> Callable[[Files], None]:
    """Return what changes the header."""
    return lambda files: files.header.update(values)


BAD = {
    "a newer format": (head(format=2), "format", "newer Loci"),
    "no export": (head(loci="x"), "loci", "--from mem0"),
    "an export without an id": (head(id="7"), "id", "UUID"),
    "an unknown label": (top(node=HOSTILE), "node", "must be one of"),
    "a label that does not travel": (top(node="ApiKey"), "node", "must be one of"),
    "a label that is a list": (top(node=["Memory"]), "node", "must be one of"),
    "a property that is Cypher": (change("Memory", **{"x` = 1 DETACH DELETE n //": 1}), "props", "no name"),
    "another tenant": (change("Memory", tenant="other"), "props.tenant", "follows from where"),
    "a vector by another way": (change("Memory", embedding=[0.5]), "props.embedding", "follows from where"),
    "words of the text index": (change("Memory", scope_tokens="t1"), "props.scope_tokens", "follows from where"),
    "a word that nobody knows": (change("Memory", visibility="secret"), "props.visibility", "must be one of"),
    "a kind that nobody knows": (change("Memory", memory_type="rumour"), "props.memory_type", "must be one of"),
    "a NUL": (change("Memory", content="a\x00b"), "props.content", "NUL"),
    "a NUL in a list": (change("Memory", tags=["a\x00"]), "props.tags", "NUL"),
    "a text that is too long": (change("Memory", content="a" * 100_001), "props.content", "100000"),
    "a null": (change("Memory", title=None), "props.title", "must be a text"),
    "an object": (change("Memory", title={"a": 1}), "props.title", "must be a text"),
    "a list of lists": (change("Memory", tags=[["a"]]), "props.tags", "of one kind"),
    "a list of several kinds": (change("Memory", tags=["a", 1]), "props.tags", "of one kind"),
    "a time that is a text": (change("Memory", created_at="today"), "props.created_at", "whole number"),
    "a time before all lists": (change("Memory", created_at=-1), "props.created_at", "between 0 and"),
    "a time after never": (change("Memory", expires_at=2**60), "props.expires_at", "between"),
    "a time that no calendar has": (change("Memory", occurred_at=-(2**60)), "props.occurred_at", "between"),
    "a period that no calendar has": (link(props={"from": 0, "to": 2**60}), "props.to", "between"),
    "a number nothing can follow": (change("Memory", seq=2**63 - 1), "props.seq", "between"),
    "a number below the first": (change("Memory", seq=-7), "props.seq", "between"),
    "an importance beyond all": (change("Memory", importance=1e300), "props.importance", "between 0 and 1"),
    "a number beyond 64 bits": (change("Memory", created_at=2**63), "props.created_at", "must be"),
    "no id": (drop("Memory", "id"), "props.id", "must be"),
    "an id that is none": (change("Agent", id="iris"), "props.id", "UUID"),
    "no text": (drop("Memory", "content"), "props.content", "must be a text"),
    "no expiry": (drop("Memory", "expires_at"), "props.expires_at", "whole number"),
    "metadata that is no JSON": (change("Memory", metadata="{"), "props.metadata", "JSON object"),
    "another kind": (change("Memory", kind="decision"), "props.kind", "`memory`"),
    "an agent to be searched": (lambda files: files.first("Agent").update(searchable=True), "searchable", "Agent"),
    "a vector that is none": (top(vector="?"), "vector", "base64"),
    "a vector of another length": (top(vector=packed([0.5, 0.5])), "vector", "has 2 numbers"),
    "a vector that is not finite": (top(vector=packed([float("nan")] * 384)), "vector", "not finite"),
    "an unknown type": (link(relationship=HOSTILE), "relationship", "must be one of"),
    "a type between other labels": (link(to=["Topic", str(uuid.uuid4())]), "relationship", "must be one of"),
    "an end that is none": (link(to="x"), "to", "a label and an id"),
    "an end of an unknown label": (link(**{"from": [HOSTILE, "x"]}), "from.0", "must be one of"),
    "a relationship with a bad property": (link(props={"a b": 1}), "props", "no name"),
    "a line that is nothing": (lambda files: files.lines.append({"x": 1}), "", "`node`"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_file_is_refused_by_line_and_field_and_nothing_of_it_is_written(
    name: str, small: Files, stranger: Caller, parts: State
) -> None:
    spoil, field, remedy = BAD[name]
    spoil(small)
    with pytest.raises(TransferError) as caught:
        imported(parts, stranger.tenant, small.whole())
    assert (caught.value.field, remedy in caught.value.message) == (field, True), str(caught.value)
    assert caught.value.line >= 1
    assert contents(parts, stranger.tenant).nodes == {}


class TestDamage:
    def test_a_file_that_was_cut_off_is_refused_before_it_begins(
        self, small: Files, stranger: Caller, parts: State
    ) -> None:
        file = small.whole()
        for cut in (file[:-5], file[: len(file) // 2], b"".join(file.splitlines(keepends=True)[:-1])):
            with pytest.raises(TransferError, match="cut off"):
                imported(parts, stranger.tenant, cut)
        assert contents(parts, stranger.tenant).nodes == {}

    def test_one_changed_character_is_noticed(self, small: Files, stranger: Caller, parts: State) -> None:
        with pytest.raises(TransferError, match="not as they were written"):
            imported(parts, stranger.tenant, small.whole().replace(b"ferry", b"berry", 1))
        assert contents(parts, stranger.tenant).nodes == {}

    def test_a_line_that_is_missing_is_noticed(self, small: Files, stranger: Caller, parts: State) -> None:
        lines = small.whole().splitlines(keepends=True)
        with pytest.raises(TransferError, match="not as they were written"):
            imported(parts, stranger.tenant, b"".join(lines[:3] + lines[4:]))

    @pytest.mark.parametrize("file", [b"", b"\n", b"{}\n", b"[1]\n", b"\xff\xfe\n", b'{"id": 1}'])
    def test_what_is_no_export_is_told_so(self, file: bytes, stranger: Caller, parts: State) -> None:
        with pytest.raises(TransferError) as caught:
            imported(parts, stranger.tenant, file)
        assert caught.value.line == 1

    def test_a_line_without_end_is_not_read_to_its_end(self, small: Files, stranger: Caller, parts: State) -> None:
        first, rest = small.whole().split(b"\n", 1)
        huge = b'{"node": "Memory", "props": {"content": "' + b"a" * 9_000_000 + b'"}}\n'
        with pytest.raises(TransferError, match="longer than 8 MB"):
            imported(parts, stranger.tenant, first + b"\n" + huge + rest)


class TestWhatIsThere:
    def test_a_name_of_another_node_is_refused_with_its_line(
        self, small: Files, stranger: Caller, parts: State
    ) -> None:
        stranger.post("/v1/agents", {"name": "iris"})
        with pytest.raises(TransferError) as caught:
            imported(parts, stranger.tenant, small.whole())
        assert caught.value.field == "props.name"
        assert "another Agent" in caught.value.message
        number = 1 + next(n for n, text in enumerate(small.whole().splitlines()) if b'"node":"Agent"' in text)
        assert caught.value.line == number

    def test_ids_of_another_tenant_are_of_no_matter(self, small: Files, stranger: Caller, parts: State) -> None:
        before = contents(parts, small.caller.tenant)
        imported(parts, stranger.tenant, small.whole())
        for memory in stranger.get("/v1/memories").get_json()["data"]:
            stranger.put(f"/v1/memories/{memory['id']}", {"content": "changed there alone"})
        same(before, contents(parts, small.caller.tenant))

    def test_the_quota_holds(self, small: Files, stranger: Caller, parts: State) -> None:
        tight = replace(parts, settings=replace(parts.settings, quota=1))
        with pytest.raises(QuotaExceeded):
            imported(tight, stranger.tenant, small.whole())
        assert contents(parts, stranger.tenant).nodes == {}

    def test_relationships_to_what_is_not_there_are_left_out(
        self, small: Files, stranger: Caller, parts: State
    ) -> None:
        small.lines = [each for each in small.lines if each.get("node") != "Entity"]
        report = imported(parts, stranger.tenant, small.whole())
        assert report.unlinked > 0
        assert report.made["Memory"] == 2


class TestAnotherModel:
    def test_makes_the_vectors_anew(self, small: Files, stranger: Caller, parts: State) -> None:
        small.header["embedder"] = {"identity": "another/1", "dimensions": 2}
        for each in small.lines:
            if "vector" in each:
                each["vector"] = packed([0.6, 0.8])
        report = imported(parts, stranger.tenant, small.whole())
        assert report.embedded == 2
        assert contents(parts, stranger.tenant).vectors == contents(parts, small.caller.tenant).vectors
        made = contents(parts, stranger.tenant).nodes
        assert {p["embedding_model"] for k, p in made.items() if k[0] == "Memory"} == {parts.embedder.identity}


def test_a_part_without_its_memory_goes_with_the_end_of_the_import(
    make_caller: Callable[[], Caller], stranger: Caller, parts: State
) -> None:
    caller = make_caller()
    memory = caller.remember("Ada Lovelace keeps a log")["id"]
    caller.put(f"/v1/memories/{memory}", {"content": "Ada Lovelace keeps two logs"})
    files = Files(parts, caller)
    files.lines = [each for each in files.lines if each.get("node") != "Memory" or each["props"]["id"] != memory]
    report = imported(parts, stranger.tenant, files.whole())
    assert report.made["MemoryVersion"] == 1
    assert not [key for key in contents(parts, stranger.tenant).nodes if key[0] in ("MemoryVersion", "MemoryChange")]


def test_every_property_that_searches_filter_by_is_asked_for(small: Files, parts: State, stranger: Caller) -> None:
    assert "Memory" in OF_KIND
    for name in set(VECTOR_FILTERS) - {"tenant"}:
        kept = small.first("Memory")["props"].pop(name)
        with pytest.raises(TransferError, match=f"props.{name}"):
            imported(parts, stranger.tenant, small.whole())
        small.first("Memory")["props"][name] = kept


def test_a_file_begins_with_what_it_is(small: Files, parts: State) -> None:
    header = orjson.loads(exported(parts, small.caller.tenant).splitlines()[0])
    assert header["embedder"] == {"identity": parts.embedder.identity, "dimensions": 384}
    assert header["counts"]["Memory"] == 2
    assert line(header).endswith(b"}\n")
