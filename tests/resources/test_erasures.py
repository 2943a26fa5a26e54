"""Erasures: what goes, what the receipt says, and that a cut-off one is gone on with."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app import create_app
from app.ledger import Ledger
from app.state import State
from app.workers import erase as worker
from graph.driver import Graph
from graph.erasures import ErasureRepository
from tests.callers import Caller, error_of
from tests.resources.test_trash import made, team
from tests.together import at_once

MARK = "zyxomarker"
FACT = f"Priya {MARK.title()} moved the Billing Service to PostgreSQL in Lisbon"
# Every text of every node and relationship of a tenant.
TEXTS = """
CYPHER 25
MATCH (n {tenant: $tenant}) WHERE NOT n:Tenant
RETURN labels(n) AS labels, n {.*, embedding: null, embedding_b: null} AS props,
  COLLECT { MATCH (n)-[r]->() RETURN properties(r) } AS links
"""

PIECE = """
CREATE (:ImportChunk {tenant: $tenant, id: randomUUID(), of: 'x', created_at: timestamp(), data: $data})
CREATE (:Counter {tenant: $tenant, name: 'import x', place: '[]'})
"""
PARTED = """
CREATE (v:MemoryVersion {tenant: $tenant, id: randomUUID(), user_id: 'customer-1', memory_id: 'x', content: $text})
"""


def erased(caller: Caller, **subject: Any) -> dict[str, Any]:
    """Erase and return the erasure."""
    response = caller.post("/v1/erasures", {"dry_run": False, **subject})
    assert response.status_code == 201, response.get_json()
    found: dict[str, Any] = response.get_json()
    assert set(found["remaining"].values()) == {0}
    return found


def traces(graph: Graph, tenant: str, word: str = MARK) -> list[str]:
    """Return the labels of whatever still has a word in one of its properties or links."""
    return [":".join(row["labels"]) for row in graph.read(TEXTS, tenant=tenant) if word in repr(row).casefold()]


@pytest.fixture
def keeper(parts: State, caller: Caller) -> Caller:
    """A caller of a server with a trash."""
    own = replace(parts, settings=replace(parts.settings, trash_days=30), ledger=Ledger())
    return replace(caller, app=create_app(own))


class TestErase:
    def test_a_memory_leaves_no_trace(self, caller: Caller, graph: Graph) -> None:
        session = made(caller, "/v1/sessions", title="Move")["id"]
        id = caller.remember(FACT, session_id=session)["id"]
        other = caller.remember("Ada likes tea", session_id=session)["id"]
        caller.put(f"/v1/memories/{id}", {"content": f"{FACT}, corrected"})
        caller.post(f"/v1/sessions/{session}/summary")
        assert {"Memory", "MemoryVersion", "Entity", "EntityName", "Session"} <= {
            label for labels in traces(graph, caller.tenant) for label in labels.split(":")
        }
        removed = erased(caller, memory_id=id)["removed"]
        assert traces(graph, caller.tenant) == []
        assert (removed["memories"], removed["versions"], removed["vectors"]) == (1, 1, 2)
        assert removed["entities"] >= 1
        assert caller.get(f"/v1/memories/{other}").status_code == 200
        assert id not in [hit["memory"]["id"] for hit in caller.search(MARK)]

    def test_a_user_goes_with_all_memories_and_nobody_else(self, caller: Caller, graph: Graph) -> None:
        for number in range(5):
            caller.remember(f"{FACT} number {number}", user_id="customer-1")
        kept = caller.remember("Ada likes tea", user_id="customer-2")["id"]
        found = erased(caller, user_id="customer-1")
        assert found["removed"]["memories"] == 5
        assert "customer-1" not in orjson.dumps(found).decode()
        assert traces(graph, caller.tenant) == []
        assert traces(graph, caller.tenant, "customer-1") == []
        assert caller.get(f"/v1/memories/{kept}").status_code == 200

    @pytest.mark.parametrize("by", ["agent", "session", "project"])
    def test_what_belongs_to_something_goes_with_it(self, keeper: Caller, graph: Graph, by: str) -> None:
        ids = team(keeper)
        keeper.delete(f"/v1/memories/{ids['memory']}")
        subject = {"project": "billing"} if by == "project" else {f"{by}_id": ids[by]}
        dry = keeper.post("/v1/erasures", subject).get_json()
        assert dry["state"] == "dry_run"
        assert (dry["removed"]["memories"], dry["removed"]["decisions"]) == (3 if by == "agent" else 2, 2)
        removed = erased(keeper, **subject)["removed"]
        same = ("memories", "versions", "decisions", "sessions")
        assert [removed.get(kind, 0) for kind in same] == [dry["removed"].get(kind, 0) for kind in same]
        assert removed["trash"] >= 1
        left = traces(graph, keeper.tenant, "priya")
        assert left == []
        error_of(keeper.get("/v1/projects/billing" if by == "project" else f"/v1/{by}s/{ids[by]}"), 404)

    def test_of_a_whole_tenant_keys_usage_and_audit_stay(self, keeper: Caller, stranger: Caller, graph: Graph) -> None:
        ids = team(keeper)
        theirs = stranger.remember(FACT)["id"]
        made(keeper, "/v1/webhooks", url="https://hooks.example.com/loci")
        keeper.delete(f"/v1/entities/{ids['entity']}")
        erased(keeper, tenant=True)
        labels = {label for row in graph.read(TEXTS, tenant=keeper.tenant) for label in row["labels"]}
        assert labels <= {"Erasure", "AuditEntry", "UsageDay", "Counter", "ApiKey"}
        assert stranger.get(f"/v1/memories/{theirs}").status_code == 200
        assert keeper.get("/v1/memories").get_json()["data"] == []
        keeper.remember("It begins anew")

    def test_a_file_on_its_way_in_goes_with_its_tenant(self, caller: Caller, parts: State) -> None:
        parts.graph.write(PIECE, tenant=caller.tenant, data=FACT)
        removed = erased(caller, tenant=True)["removed"]
        # With the place it stopped at: the same file, sent again, begins at its first line.
        assert (removed["import_pieces"], removed["import_places"]) == (1, 1)
        assert traces(parts.graph, caller.tenant) == []

    def test_what_an_import_left_without_its_memory_goes_too(self, caller: Caller, parts: State) -> None:
        parts.graph.write(PARTED, tenant=caller.tenant, text=FACT)
        assert erased(caller, user_id="customer-1")["removed"]["versions"] == 1
        assert traces(parts.graph, caller.tenant) == []

    def test_what_lies_in_the_trash_goes_for_good(self, keeper: Caller, graph: Graph) -> None:
        id = keeper.remember(FACT)["id"]
        keeper.delete(f"/v1/memories/{id}")
        assert "Trashed" in traces(graph, keeper.tenant)
        assert erased(keeper, memory_id=id)["removed"]["trash"] == 1
        error_of(keeper.post(f"/v1/trash/{id}/restore"), 404)

    def test_a_dry_run_is_the_default_and_changes_nothing(self, caller: Caller) -> None:
        id = caller.remember(FACT)["id"]
        found = caller.post("/v1/erasures", {"memory_id": id})
        assert (found.status_code, found.get_json()["removed"]["memories"]) == (200, 1)
        assert caller.get(f"/v1/memories/{id}").status_code == 200
        assert caller.get("/v1/erasures").get_json()["total_count"] == 0

    def test_an_entity_that_others_name_stays(self, caller: Caller) -> None:
        mine = caller.remember("Priya Raman lives in Lisbon")["id"]
        caller.remember("Grace Hopper lives in Lisbon")
        erased(caller, memory_id=mine)
        names = {row["name"] for row in caller.get("/v1/entities").get_json()["data"]}
        assert "Lisbon" in names
        assert "Priya Raman" not in names

    def test_another_tenants_things_are_out_of_reach(self, caller: Caller, stranger: Caller) -> None:
        id = caller.remember(FACT)["id"]
        assert erased(stranger, memory_id=id)["removed"] == {}
        assert caller.get(f"/v1/memories/{id}").status_code == 200

    def test_many_at_once_count_each_thing_once(self, caller: Caller) -> None:
        for number in range(30):
            caller.remember(f"Fact number {number}", user_id="customer-1")
        answers = at_once([partial(caller.post, "/v1/erasures", {"user_id": "customer-1", "dry_run": False})] * 4)
        removed = [answer.get_json()["removed"].get("memories", 0) for answer in answers]
        assert {answer.status_code for answer in answers} == {201}
        assert sum(removed) == 30


class TestInput:
    @pytest.mark.parametrize("body", [{}, {"user_id": "a", "tenant": True}, {"tenant": False}, {"memory_id": "x"}])
    def test_exactly_one_subject_is_needed(self, caller: Caller, body: dict[str, Any]) -> None:
        error_of(caller.post("/v1/erasures", body), 422)

    def test_scopes(self, caller: Caller, make_caller: Callable[..., Caller], unknown_id: str) -> None:
        body = {"memory_id": unknown_id, "dry_run": False}
        error_of(make_caller("read", "write", tenant_of=caller).post("/v1/erasures", body), 403)
        deleter = make_caller("delete", tenant_of=caller)
        assert deleter.post("/v1/erasures", body).status_code == 201
        error_of(deleter.post("/v1/erasures", {"tenant": True}), 403)

    def test_an_unknown_project_is_not_found(self, caller: Caller) -> None:
        error_of(caller.post("/v1/erasures", {"project": "no-such"}), 404)


class TestReceipt:
    def test_it_can_be_verified_with_and_without_the_server(self, caller: Caller) -> None:
        found = erased(caller, memory_id=caller.remember(FACT)["id"])
        sent = {"receipt": found["receipt"], "signature": found["signature"]}
        assert caller.post("/v1/erasures/verify", sent).get_json() == {"valid": True}
        forged = {**sent, "receipt": found["receipt"].replace('"memories":1', '"memories":2', 1)}
        assert forged != sent
        assert caller.post("/v1/erasures/verify", forged).get_json() == {"valid": False}
        assert caller.post("/v1/erasures/verify", {**sent, "signature": "c2ln"}).get_json() == {"valid": False}
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(found["public_key"]))
        key.verify(base64.b64decode(found["signature"]), found["receipt"].encode())
        with pytest.raises(InvalidSignature):
            key.verify(base64.b64decode(found["signature"]), forged["receipt"].encode())

    def test_it_is_kept_and_holds_no_content(self, caller: Caller, graph: Graph) -> None:
        found = erased(caller, user_id=MARK)
        assert caller.get(f"/v1/erasures/{found['id']}").get_json() == found
        assert caller.get("/v1/erasures").get_json()["data"] == [found]
        assert traces(graph, caller.tenant) == []
        said = orjson.loads(found["receipt"])
        assert (said["verified"], said["by"], said["removed"]) == (True, "user", found["removed"])


class TestGoingOn:
    def test_a_worker_finishes_what_a_request_had_no_time_for(
        self, caller: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(8):
            caller.remember(f"{FACT} number {number}", user_id="customer-1")
        monkeypatch.setattr("app.services.erasures.BATCH", 3)
        monkeypatch.setattr("app.services.erasures.SECONDS", 0.0)
        response = caller.post("/v1/erasures", {"user_id": "customer-1", "dry_run": False})
        assert response.status_code == 202
        id = response.get_json()["id"]
        assert caller.get(f"/v1/erasures/{id}").get_json()["state"] == "running"
        while worker.work(parts):
            pass
        found = caller.get(f"/v1/erasures/{id}").get_json()
        assert (found["state"], found["removed"]["memories"]) == ("done", 8)

    def test_one_whose_process_died_is_taken_over_when_its_lease_ends(
        self, caller: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caller.remember(FACT, user_id="customer-1")
        erasures = ErasureRepository(parts.graph, caller)
        props = {"by": "user", "subject": "customer-1", "slug": "", "named": "sha256:0", "key_id": "k"}
        id = "6f1f7a0e-0b3f-4d0e-9b57-0c5b0b7d1a11"
        erasures.create(id, props)
        monkeypatch.setattr("graph.erasures.LEASE_MS", -1)
        assert erasures.lease(id, "one that died") is not None
        while worker.work(parts):
            pass
        assert caller.get(f"/v1/erasures/{id}").get_json()["removed"]["memories"] == 1
        with pytest.raises(Exception, match="not found"):
            erasures.add(id, "one that died", {"memories": 5})
