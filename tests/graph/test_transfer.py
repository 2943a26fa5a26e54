"""The queries that move data: every one of them confined to its tenant, and none reads more than its page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.state import State
from graph import labels, transfer
from graph.clock import now_ms
from graph.driver import Connection
from graph.labels import LINKS, NEVER, NOUNS, TRANSFERRED, UNIQUE_TOO, Link
from graph.tenants import Owner
from graph.transfer import TransferRepository
from tests.callers import Caller
from tests.contract import cypher, sources
from tests.contract.test_graph_page import ARROW
from tests.graph.plans import reads_a_page

# What stays where it is, and why: docs/transfer.md says so.
STAYS = {
    "Webhook", "Delivery", "Event", "Job", "UsageDay", "AuditEntry", "IdempotencyRecord", "ExtractionKey", "Trashed",
    "TrashedLinks", "Callback", "Erasure", "ImportChunk", "DataKey",
}  # fmt: skip


PER_LABEL = (
    transfer.COUNT, transfer.NODES, transfer.MEMORIES, transfer.WINDOWS, transfer.FOLLOWED, transfer.KNOWN,
    transfer.TAKEN, transfer.CREATE,
)  # fmt: skip


def every_statement() -> Iterator[str]:
    """Yield each statement as it is sent."""
    for label in TRANSFERRED:
        for query in PER_LABEL:
            yield labels.of_label(labels.in_slot(query, "a"), label)
    for link, rule in LINKS.items():
        yield labels.of_link(transfer.MAKING[rule], link)


class TestStatements:
    def test_are_confined_to_the_tenant(self) -> None:
        for query in every_statement():
            assert cypher.tenant_labels(query)
            assert not cypher.lacks_tenant(query)
            assert cypher.keyed_without_tenant(query) == []

    def test_have_no_name_left_that_stands_for_another(self) -> None:
        assert [q for q in every_statement() for name in ("a_", "its_key", "second_key", "it_lives") if name in q] == []

    def test_are_made_for_known_names_alone(self) -> None:
        with pytest.raises(KeyError):
            labels.of_label(transfer.NODES, "Memory) DETACH DELETE (n")
        with pytest.raises(KeyError):
            labels.of_link(transfer.ONCE, Link("Memory", "OWNS]->() DELETE x//", "Agent"))

    @pytest.mark.parametrize("label", TRANSFERRED)
    def test_read_a_page_by_its_key(self, label: str, connection: Connection, caller: Caller) -> None:
        given = {"tenant": caller.tenant, "after": "", "limit": 10, "now": now_ms(), "never": NEVER}
        for text in (transfer.PAGES.get(label, transfer.NODES), transfer.FOLLOWED):
            query = labels.of_label(labels.in_slot(text, "a"), label)
            assert reads_a_page(connection, query, vectors=True, slot="a", types=[], seq=0, **given)


class TestTables:
    def test_every_noun_travels_or_stays_for_a_reason(self) -> None:
        assert set(NOUNS) - set(TRANSFERRED) - STAYS == set()
        assert set(UNIQUE_TOO) <= set(TRANSFERRED)

    def test_every_relationship_that_is_drawn_travels(self) -> None:
        drawn = {
            Link(start, type.strip(), end)
            for start, types, end in ARROW.findall(sources.text("docs/browser.md"))
            for type in types.split(",")
            if start in TRANSFERRED and end in TRANSFERRED
        }
        assert drawn == LINKS.keys()


def test_a_session_that_went_on_keeps_its_way(caller: Caller, parts: State) -> None:
    session = caller.post("/v1/sessions", {"external_id": "s"}).get_json()["id"]
    one, two, three = (caller.remember(f"tide {n}", session_id=session)["id"] for n in range(3))
    repository = TransferRepository(parts.graph, Owner(caller.tenant))
    rows = [{"source": one, "target": three, "props": {}, "number": 1}]
    assert repository.link(Link("Memory", "NEXT", "Memory"), rows) == 1
    chain = parts.graph.read("MATCH (a:Memory {tenant: $t})-[:NEXT]->(b) RETURN a.id AS a, b.id AS b", t=caller.tenant)
    assert sorted((row["a"], row["b"]) for row in chain) == sorted([(one, two), (two, three)])
