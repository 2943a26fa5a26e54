"""Entities of extraction go with their last mention; those made or touched by hand stay."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.state import State
from app.workers import unused_entities
from graph.entities import EntityRepository
from graph.entity_removal import EntityRemovalRepository
from tests.callers import Caller
from tests.resources.test_entities import listed, make


def sweep(parts: State, caller: Caller) -> int:
    """Sweep one tenant; return how many entities went."""
    removal = EntityRemovalRepository(parts.graph, caller)
    return removal.delete_unused(removal.walk(0, "", 1000)["unused"])


class TestSweeping:
    def test_takes_what_nothing_mentions_any_more(self, caller: Caller, parts: State) -> None:
        memory = caller.remember("Ada Lovelace moved to Lisbon")
        caller.remember("Lisbon has hills")
        caller.delete(f"/v1/memories/{memory['id']}")
        assert sweep(parts, caller) == 1
        assert listed(caller) == ["Lisbon"]
        assert listed(caller, q="Ada Lovelace") == []
        assert sweep(parts, caller) == 0

    def test_spares_what_was_made_edited_or_related_by_hand(self, caller: Caller, parts: State) -> None:
        memory = caller.remember("Ada Lovelace and Grace Hopper met Alan Turing and Edsger Dijkstra in Lisbon")
        ids = {name: make_found(caller, name) for name in ("Ada Lovelace", "Grace Hopper", "Alan Turing")}
        caller.patch(f"/v1/entities/{ids['Ada Lovelace']}", {"metadata": {"born": 1815}})
        caller.post(f"/v1/entities/{ids['Grace Hopper']}/aliases", {"alias": "Amazing Grace"})
        other = make(caller, "Handmade", "concept")["id"]
        body = {"target_id": other, "relationship_type": "likes"}
        caller.post(f"/v1/entities/{ids['Alan Turing']}/relationships", body)
        caller.delete(f"/v1/memories/{memory['id']}")
        sweep(parts, caller)
        assert set(listed(caller)) == {"Ada Lovelace", "Grace Hopper", "Alan Turing", "Handmade"}

    def test_asks_again_before_it_deletes(self, caller: Caller, parts: State) -> None:
        memory = caller.remember("Ada Lovelace moved to Lisbon")
        caller.delete(f"/v1/memories/{memory['id']}")
        removal = EntityRemovalRepository(parts.graph, caller)
        unused = removal.walk(0, "", 1000)["unused"]
        assert len(unused) == 2
        caller.remember("Lisbon has hills")
        assert removal.delete_unused(unused) == 1
        assert listed(caller) == ["Lisbon"]

    def test_no_memory_loses_a_name_while_it_sweeps(self, caller: Caller, parts: State) -> None:
        def work(number: int) -> None:
            if number % 3 == 0:
                sweep(parts, caller)
            memory = caller.remember(f"Ada Lovelace moved to Lisbon, {number}")
            assert {entity["value"] for entity in memory["entities"]} == {"Ada Lovelace", "Lisbon"}
            caller.delete(f"/v1/memories/{memory['id']}")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(24)))
        sweep(parts, caller)
        assert listed(caller) == []

    def test_the_loop_walks_every_tenant_in_stretches(
        self, caller: Caller, stranger: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tenants = sorted([caller.tenant, stranger.tenant])

        def after(graph: object, last: str, limit: int) -> list[str]:
            return [tenant for tenant in tenants if tenant > last][:limit]

        monkeypatch.setattr(unused_entities, "tenants_after", after)
        monkeypatch.setattr(unused_entities, "STRETCH", 1)
        for each in (caller, stranger):
            memory = each.remember("Ada Lovelace moved to Lisbon")
            each.delete(f"/v1/memories/{memory['id']}")
            make(each, "Handmade")
        loop = unused_entities.Sweep()
        rounds = 0
        while loop(parts):
            rounds += 1
        assert rounds > 2
        assert listed(caller) == listed(stranger) == ["Handmade"]


def make_found(caller: Caller, name: str) -> str:
    """Return the id of an entity that extraction made, without touching it."""
    found = caller.get("/v1/entities", query_string={"q": name}).get_json()["data"][0]
    assert found["name"] == name
    return str(found["id"])


def test_an_entity_named_by_hand_stays_without_mentions(caller: Caller, parts: State) -> None:
    memory = caller.remember("Ada Lovelace moved on")
    make(caller, "Ada Lovelace", "person")
    caller.delete(f"/v1/memories/{memory['id']}")
    assert sweep(parts, caller) == 0
    assert EntityRepository(parts.graph, caller).count({"agent_id": None, "entity_type": None}, 2**53) == 1
