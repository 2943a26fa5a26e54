"""Encryption at rest: what is sealed opens for its own node alone, is found all the same, and keys can be changed."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.crypto import Vault
from app.ledger import Ledger
from app.scopes import ALL_SCOPES
from app.services.encryption import Encryption, key_of
from app.services.known_names import NameCache
from app.services.reseal import Reseal
from app.services.transfer.form import TransferError
from app.services.transfer.imports import Import
from app.state import State
from graph.driver import Graph
from graph.errors import Unreadable, Unsupported
from graph.sealed import due
from graph.sealing import MAGIC
from graph.tenants import Owner
from tests.callers import Caller, new_caller
from tests.contract.examples import World
from tests.contract.test_sealed import in_clear, sealed_caller
from tests.contract.test_tenancy import Victim, elsewhere_caller

MARKER = "zqkestrel"
TEXT = f"Priya {MARKER.title()} moved the Billing Service from Oracle to PostgreSQL in Lisbon"
RAW = "CYPHER 25 MATCH (m:Memory {tenant: $of, id: $id}) RETURN m.content AS content, m.name AS name, m.title AS title"
MOVE = """
CYPHER 25
MATCH (a:Memory {tenant: $of, id: $id}), (b:Memory {tenant: $of, id: $other}) SET b.content = a.content
"""
REPLACE = "CYPHER 25 MATCH (m:Memory {tenant: $of, id: $id}) SET m.content = $content"
VALUES = "CYPHER 25 MATCH (n) WHERE n.tenant = $of RETURN n {.*, embedding: null} AS props"


def cipher_of(parts: State) -> Encryption:
    assert isinstance(parts.graph.cipher, Encryption)
    return parts.graph.cipher


def raw(parts: State, caller: Caller, id: str) -> dict[str, Any]:
    """Return what lies in the database of a memory."""
    found: dict[str, Any] = parts.graph.as_stored().read(RAW, of=caller.tenant, id=id)[0]
    return found


def key_ids(parts: State, caller: Caller) -> set[str]:
    """Return the ids of the keys that anything of a tenant is sealed with."""
    rows = parts.graph.as_stored().read(VALUES, of=caller.tenant)
    values = [value for row in rows for value in row["props"].values() if isinstance(value, bytes)]
    return {key_of(value) for value in values if value.startswith(MAGIC)}


def resealed(parts: State, caller: Caller) -> int:
    """Seal everything anew, without waiting for servers that do not run."""
    since = next((row["since"] for row in due(parts.graph, 10_000) if row["id"] == caller.tenant), 0)
    return Reseal(cipher_of(parts), Owner(caller.tenant), settle=0).run(since)


@pytest.fixture
def sealed(app: Flask, parts: State) -> Caller:
    return sealed_caller(app, parts)


class TestMemories:
    def test_are_bytes_in_the_database_and_texts_everywhere_else(self, sealed: Caller, parts: State) -> None:
        memory = sealed.remember(TEXT, title=f"Title {MARKER}", metadata={"said": MARKER})
        stored = raw(parts, sealed, memory["id"])
        assert stored["content"].startswith(MAGIC)
        assert stored["title"].startswith(MAGIC)
        assert stored["name"] == "(encrypted)"
        assert (memory["content"], memory["title"], memory["metadata"]) == (TEXT, f"Title {MARKER}", {"said": MARKER})
        assert in_clear(parts, sealed.tenant) == {}

    def test_are_found_by_vector_by_entity_and_by_metadata(self, sealed: Caller) -> None:
        memory = sealed.remember(TEXT, metadata={"team": "storage"})
        sealed.remember("Nobody eats lunch on Fridays", metadata={"team": "kitchen"})
        hits = sealed.search("Which database holds the Billing Service?")
        assert hits[0]["memory"]["id"] == memory["id"]
        hits = sealed.search("lunch", metadata_filter={"team": "storage"})
        assert [hit["memory"]["id"] for hit in hits] == [memory["id"]]
        listed = sealed.get("/v1/memories", query_string={"metadata_filter": '{"team": "storage"}'}).get_json()
        assert [row["id"] for row in listed["data"]] == [memory["id"]] or listed["total_count"] == 2

    def test_the_same_text_is_seen_to_be_the_same(self, sealed: Caller) -> None:
        first = sealed.remember(TEXT)
        assert sealed.remember(TEXT, deduplicate=True)["id"] == first["id"]

    def test_a_text_that_was_moved_to_another_node_is_refused(self, sealed: Caller, parts: State) -> None:
        one, other = sealed.remember(TEXT), sealed.remember("Something else")
        parts.graph.as_stored().write(MOVE, of=sealed.tenant, id=one["id"], other=other["id"])
        response = sealed.get(f"/v1/memories/{other['id']}")
        assert response.status_code == 500
        assert MARKER not in response.get_data(as_text=True).lower()

    def test_a_name_that_looks_like_a_digest_is_none(self, sealed: Caller, parts: State) -> None:
        made = sealed.post("/v1/entities", {"name": f"HMAC:{MARKER}", "entity_type": "person"}).get_json()
        assert sealed.get(f"/v1/entities/{made['id']}").get_json()["name"] == f"HMAC:{MARKER}"
        assert in_clear(parts, sealed.tenant) == {}

    def test_a_text_of_another_namespace_is_refused(self, app: Flask, parts: State, sealed: Caller) -> None:
        foreign = sealed_caller(app, parts)
        one, other = foreign.remember(TEXT), sealed.remember("Something else")
        content = raw(parts, foreign, one["id"])["content"]
        parts.graph.as_stored().write(REPLACE, of=sealed.tenant, id=other["id"], content=content)
        assert sealed.get(f"/v1/memories/{other['id']}").status_code == 500

    def test_a_text_that_was_changed_is_refused(self, sealed: Caller, parts: State) -> None:
        content = raw(parts, sealed, sealed.remember(TEXT)["id"])["content"]
        cipher = cipher_of(parts)
        for at in (13, len(content) // 2, len(content) - 1):
            with pytest.raises(Unreadable):
                cipher.open(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(Unreadable):
            cipher.open(content[:40])


class TestEntities:
    def test_are_found_by_every_spelling(self, sealed: Caller, parts: State) -> None:
        made = sealed.post("/v1/entities", {"name": f"{MARKER.title()} Billing Service", "entity_type": "project"})
        id = made.get_json()["id"]
        again = sealed.post("/v1/entities", {"name": f"{MARKER} billing service", "entity_type": "project"})
        assert (again.status_code, again.get_json()["id"]) == (200, id)
        assert sealed.post(f"/v1/entities/{id}/aliases", {"alias": "Dunning Engine"}).status_code == 201
        for q in (f"{MARKER} billing service", MARKER, "servi", "biling", "Dunning engine"):
            found = sealed.get("/v1/entities", query_string={"q": q}).get_json()["data"]
            assert [row["id"] for row in found] == [id], q
        assert sealed.get("/v1/entities", query_string={"q": "unheard"}).get_json()["data"] == []
        assert in_clear(parts, sealed.tenant) == {}

    def test_names_in_texts_lead_to_them_also_in_a_process_that_has_just_begun(
        self, sealed: Caller, parts: State
    ) -> None:
        sealed.remember(TEXT)
        names = NameCache().of(parts.graph, sealed.tenant)
        hit = names.exact("billing service")
        assert hit is not None
        assert hit.key == "billing service"


class TestConfidentialMode:
    @pytest.fixture
    def caller(self, app: Flask, parts: State) -> Caller:
        made = new_caller(app, parts, ALL_SCOPES, None)
        cipher_of(parts).set_mode(made.account, "default", "confidential")
        return made

    def test_only_confidential_memories_are_sealed(self, caller: Caller, parts: State) -> None:
        hidden = caller.remember(TEXT, visibility="confidential")
        plain = caller.remember("Ada likes tea in the morning")
        assert raw(parts, caller, hidden["id"])["content"].startswith(MAGIC)
        assert raw(parts, caller, plain["id"])["content"] == "Ada likes tea in the morning"
        assert hidden["content"] == TEXT

    def test_turning_a_memory_confidential_seals_what_it_says_and_said(self, caller: Caller, parts: State) -> None:
        memory = caller.remember(TEXT, title=f"Title {MARKER}", metadata={"a": MARKER}, auto_extract_entities=False)
        path = f"/v1/memories/{memory['id']}"
        assert caller.put(path, {"content": f"Now {MARKER} says more"}).status_code == 200
        assert in_clear(parts, caller.tenant) != {}
        assert caller.put(path, {"visibility": "confidential"}).status_code == 200
        assert in_clear(parts, caller.tenant) == {}
        assert [row["content"] for row in caller.get(path + "/versions").get_json()["data"]] == [
            f"Now {MARKER} says more", TEXT,
        ]  # fmt: skip
        assert caller.put(path, {"content": f"And {MARKER} again"}).status_code == 200
        assert in_clear(parts, caller.tenant) == {}
        assert caller.put(path, {"visibility": "private"}).status_code == 200
        assert raw(parts, caller, memory["id"])["content"] == f"And {MARKER} again"


class TestSealingAnew:
    def test_what_was_there_before_is_sealed_and_opened_again(self, app: Flask, parts: State) -> None:
        caller = new_caller(app, parts, ALL_SCOPES, None)
        memory = caller.remember(TEXT, title=f"Title {MARKER}", metadata={"said": MARKER})
        caller.put(f"/v1/memories/{memory['id']}", {"content": TEXT + " again"})
        before = caller.get(f"/v1/memories/{memory['id']}").get_json()
        names = [row["name"] for row in caller.get("/v1/entities").get_json()["data"]]
        assert in_clear(parts, caller.tenant) != {}
        cipher = cipher_of(parts)
        assert cipher.set_mode(caller.account, "default", "all")
        # Meanwhile the same names are written under their digests.
        caller.remember("The Billing Service is slow in Lisbon")
        assert resealed(parts, caller) > 0
        assert resealed(parts, caller) == 0
        assert in_clear(parts, caller.tenant) == {}
        assert caller.get(f"/v1/memories/{memory['id']}").get_json() == before
        assert sorted(row["name"] for row in caller.get("/v1/entities").get_json()["data"]) == sorted(names)
        assert caller.remember(TEXT + " again", deduplicate=True)["id"] == memory["id"]
        cipher.set_mode(caller.account, "default", "")
        assert resealed(parts, caller) > 0
        assert key_ids(parts, caller) == set()
        assert caller.remember(TEXT + " again", deduplicate=True)["id"] == memory["id"]
        assert sorted(row["name"] for row in caller.get("/v1/entities").get_json()["data"]) == sorted(names)
        hits = caller.post("/v1/memories/search", {"query": MARKER, "search_mode": "keyword"}).get_json()["data"]
        assert hits[0]["memory"]["id"] == memory["id"]

    def test_what_is_restored_after_the_namespace_was_opened_is_known_by_its_texts(
        self, app: Flask, parts: State
    ) -> None:
        own = dataclasses.replace(parts, settings=dataclasses.replace(parts.settings, trash_days=30), ledger=Ledger())
        caller = sealed_caller(create_app(own), own)
        memory = caller.remember(TEXT)["id"]
        caller.put(f"/v1/memories/{memory}", {"content": TEXT + " again"})
        person = caller.post("/v1/entities", {"name": "Ada Lovelace", "entity_type": "person"}).get_json()["id"]
        caller.post(f"/v1/entities/{person}/aliases", {"alias": "Countess Lovelace"})
        for path in (f"/v1/memories/{memory}", f"/v1/entities/{person}"):
            assert caller.delete(path).status_code in (200, 204)
        cipher_of(parts).set_mode(caller.account, "default", "")
        assert resealed(parts, caller) > 0
        for id in (memory, person):
            assert caller.post(f"/v1/trash/{id}/restore").status_code == 200
        own.ledger.close()
        assert caller.remember(TEXT + " again", deduplicate=True)["id"] == memory
        assert raw(parts, caller, memory)["name"].startswith(TEXT[:20])
        for name in ("ada lovelace", "countess lovelace"):
            assert [row["id"] for row in caller.get(f"/v1/entities?q={name}").get_json()["data"]] == [person]
        query = "CYPHER 25 MATCH (n:EntityName {tenant: $of}) RETURN n.key AS key"
        keys = {row["key"] for row in parts.graph.as_stored().read(query, of=caller.tenant)}
        assert {"ada lovelace", "countess lovelace"} <= keys

    def test_a_rotation_leaves_nothing_under_the_old_key_and_nothing_unreadable(
        self, sealed: Caller, parts: State
    ) -> None:
        ids = [sealed.remember(f"{TEXT} {number}")["id"] for number in range(5)]
        old = key_ids(parts, sealed)
        assert len(old) == 1
        work = Reseal(cipher_of(parts), Owner(sealed.tenant), settle=0)
        assert work.rotate()
        sealed.remember("Written in between")
        assert len(key_ids(parts, sealed)) == 2
        resealed(parts, sealed)
        assert key_ids(parts, sealed).isdisjoint(old)
        assert work.retired() == []
        for number, id in enumerate(ids):
            assert sealed.get(f"/v1/memories/{id}").get_json()["content"] == f"{TEXT} {number}"
        # A process that knows nothing yet reads all of it with the keys that are left.
        fresh = Encryption(parts.graph, parts.vault)
        assert fresh.open(raw(parts, sealed, ids[0])["content"]).value == f"{TEXT} 0"
        with pytest.raises(Unreadable):
            fresh.key(old.pop())

    def test_a_key_that_is_retired_while_all_is_gone_over_is_kept(
        self, sealed: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = sealed.remember(TEXT)["id"]
        before = key_ids(parts, sealed)
        work = Reseal(cipher_of(parts), Owner(sealed.tenant), settle=0)
        round_ = work.round

        def rotated_meanwhile() -> int:
            found = round_()
            Reseal(cipher_of(parts), Owner(sealed.tenant), settle=0).rotate()
            return found

        monkeypatch.setattr(work, "round", rotated_meanwhile)
        assert work.step(since=0)
        assert sealed.get(f"/v1/memories/{id}").get_json()["content"] == TEXT
        assert resealed(parts, sealed) > 0
        assert key_ids(parts, sealed).isdisjoint(before)
        assert sealed.get(f"/v1/memories/{id}").get_json()["content"] == TEXT

    def test_a_process_that_meets_a_new_namespace_knows_how_it_is_sealed(self, app: Flask, parts: State) -> None:
        other = Encryption(parts.graph.as_stored(), parts.vault)
        assert other.mode("nobody's") == ""
        made = sealed_caller(app, parts)
        assert other.mode(made.tenant) == "all"


class TestMasterKey:
    def test_another_one_is_refused_with_a_remedy(self, parts: State) -> None:
        wrong = Encryption(parts.graph, Vault("ab" * 32))
        with pytest.raises(Unsupported, match="LOCI_MASTER_KEY_FORMER") as raised:
            wrong.check()
        assert "another master key" in str(raised.value)

    def test_a_server_finds_keys_that_another_made(self, sealed: Caller, parts: State) -> None:
        memory = sealed.remember(TEXT)
        graph = Graph(parts.graph.connection)
        graph.cipher = Encryption(graph, parts.vault)
        other = dataclasses.replace(parts, graph=graph)
        assert cipher_of(other).open(raw(parts, sealed, memory["id"])["content"]).value == TEXT
        assert cipher_of(other).mode(sealed.tenant) == "all"
        graph.close()


class TestTransfer:
    def export(self, caller: Caller) -> bytes:
        response = caller.get("/v1/transfer/export")
        assert response.status_code == 200
        return response.get_data()

    def test_an_export_has_no_text_and_is_imported_by_its_own_server(
        self, app: Flask, sealed: Caller, parts: State
    ) -> None:
        sealed.remember(TEXT, title=f"Title {MARKER}", metadata={"said": MARKER})
        dump = self.export(sealed)
        assert MARKER.encode() not in dump.lower()
        assert b"lisbon" not in dump.lower()
        sibling = elsewhere_caller(app, parts, Victim(World(sealed), frozenset()), "namespace")
        report = Import(parts, sibling, io.BytesIO(dump)).run()
        assert report.made["Memory"] == 1
        assert sibling.search(MARKER)[0]["memory"]["content"] == TEXT
        found = sibling.get("/v1/entities", query_string={"q": "Billing"}).get_json()["data"]
        assert [row["name"] for row in found][:1] == ["Billing Service"]
        assert sibling.remember("The Billing Service is slow")["entities"]
        stranger = new_caller(app, parts, ALL_SCOPES, None)
        with pytest.raises(TransferError, match="encrypted"):
            Import(parts, stranger, io.BytesIO(dump)).run()
