"""Every query that touches a tenant's data names the tenant, and no query is put together while the server runs."""

from __future__ import annotations

import re

import pytest

from tests.contract import cypher, sources

pytestmark = pytest.mark.static

# The only module whose work is to put names into query text.
BUILDER = "graph.labels"

# module.CONSTANT -> why it may touch a tenant's nodes without naming the tenant
WITHOUT_TENANT = {
    "graph.keys.FIND": "a key is what the tenant becomes known by",
    "graph.keys.CREATE": "keys belong to an account; the key's namespace is the tenant",
    "graph.keys.LIST": "keys belong to an account",
    "graph.keys.COUNT": "keys belong to an account",
    "graph.keys.GET": "keys belong to an account",
    "graph.keys.ADMINS": "keys belong to an account",
    "graph.keys.UPDATE": "keys belong to an account",
    "graph.keys.ROTATE": "keys belong to an account",
    "graph.keys.ACCOUNTS": "asks whether any key exists, to make the first one",
    "graph.usage.KEYS_USED": "keys belong to an account, and one flush is for the keys of all",
    "graph.usage.FORGET": "what is too old goes, whosever it is",
    "graph.audit.FORGET": "what is too old goes, whosever it is",
    "graph.memory_changes.FORGET": "what is too old goes, whosever it is",
    "graph.announce.WAITING": "the announcer looks for events of every tenant",
    "graph.announce.ANNOUNCE": "events of every tenant get their numbers; each delivery is its event's tenant's",
    "graph.delivery_queue.DUE": "the sender looks for endpoints of every tenant",
    "graph.delivery_queue.CLAIM": "endpoints of every tenant are leased, and each one's tenant is handed on",
    "graph.delivery_queue.BEAT": "each endpoint is picked by the tenant that was leased with it",
    "graph.event_purge.DELIVERIES": "what is too old goes, whosever it is",
    "graph.event_purge.EVENTS": "what is too old goes, whosever it is",
    "graph.event_purge.CALLBACKS": "what is too old goes, whosever it is",
    "graph.queue.DUE": "workers look for jobs of every tenant",
    "graph.queue.CLAIM": "workers claim jobs of every tenant and hand each job's tenant on",
    "graph.queue.BEAT": "each job is picked by the tenant that was claimed with it",
    "graph.queue.OVER": "jobs of every tenant are forgotten when they are old",
    **{
        f"graph.refill.{name}": "another model reads what all tenants have; each node is written as its tenant"
        for name in ("MEMORY", "VERSION", "WINDOW", "DECISION", "PATTERN", "TOTAL")
    },
    **{
        f"graph.refill.{walk}_ABOVE[{label}]": "the walk goes on with the tenants after one, and hands each node's on"
        for walk in ("LACK", "EMPTY")
        for label in ("Memory", "MemoryVersion", "MemoryWindow", "Decision", "Pattern")
        if (walk, label) != ("LACK", "MemoryWindow")
    },
    "graph.window_backfill.ABOVE": "the walk goes on with the tenants after one, and hands each memory's on",
    "graph.trash.EXPIRED": "the purge works for every tenant and hands each tenant on",
    "graph.trash.EXPIRED_LINKS": "what is too old goes, whosever it is",
    "graph.data_keys.BY_ID": "what is sealed names its key by an id that is unique over all tenants",
    "graph.data_keys.WRAPPED": "another master key wraps the keys of all tenants; each is written as its tenant's",
    "graph.data_keys.SECRETS": "another master key seals the secrets of all tenants; each is written as its tenant's",
    "graph.erasures.DUE": "the worker goes on with erasures of every tenant and hands each tenant on",
    "graph.imports.FORGOTTEN": "pieces of files that nobody reads are forgotten, whosever they are",
    "graph.memories.EXPIRED": "the purge works for every tenant and hands each memory's tenant on",
}
# module.CONSTANT -> why it picks nodes by properties without the tenant
KEYED_OTHERWISE = {
    "graph.keys.FIND": "by digest, unique over all tenants",
    "graph.keys.CREATE": "keys belong to an account",
    "graph.keys.LIST": "keys belong to an account",
    "graph.keys.COUNT": "keys belong to an account",
    "graph.keys.GET": "keys belong to an account",
    "graph.keys.ADMINS": "keys belong to an account",
    "graph.keys.UPDATE": "keys belong to an account",
    "graph.keys.ROTATE": "keys belong to an account",
    "graph.data_keys.BY_ID": "a data key by its id, unique over all tenants",
    "graph.usage.ADD": "a key by its id, unique over all tenants; the usage day by its tenant",
    "graph.usage.KEYS_USED": "a key by its id, unique over all tenants",
}
# module.CONSTANT -> why it does not begin with CYPHER 25
WITHOUT_VERSION: dict[str, str] = {}


def outside_builder() -> list[cypher.Constants]:
    """Return the constants of all graph modules but the one that may build queries."""
    return [each for each in cypher.every_module() if each.module.name != BUILDER]


def test_there_are_queries_to_look_at() -> None:
    assert len(cypher.every_query()) > 20


def test_every_query_on_a_tenants_nodes_names_the_tenant() -> None:
    bare = {name for name, query in cypher.every_query().items() if cypher.lacks_tenant(query)}
    assert bare - set(WITHOUT_TENANT) == set()


def test_every_node_that_is_picked_by_a_property_is_picked_by_its_tenant_too() -> None:
    found = {name: cypher.keyed_without_tenant(query) for name, query in cypher.every_query().items()}
    assert {name: nodes for name, nodes in found.items() if nodes and name not in KEYED_OTHERWISE} == {}


def test_every_exception_is_still_needed() -> None:
    queries = cypher.every_query()
    needed = {name for name, query in queries.items() if cypher.lacks_tenant(query)}
    keyed = {name for name, query in queries.items() if cypher.keyed_without_tenant(query)}
    assert set(WITHOUT_TENANT) - needed == set()
    assert set(KEYED_OTHERWISE) - keyed == set()
    assert set(WITHOUT_VERSION) - set(queries) == set()


def test_every_query_states_its_language_version() -> None:
    bare = {name for name, query in cypher.every_query().items() if not query.lstrip().startswith("CYPHER 25")}
    assert bare - set(WITHOUT_VERSION) == set()


def test_queries_stand_in_constants() -> None:
    assert [fault for each in outside_builder() for fault in cypher.loose(each)] == []


def test_no_query_is_built_while_the_server_runs() -> None:
    names = {name for each in cypher.every_module() for name in each.fragments()}
    assert [fault for each in outside_builder() for fault in cypher.built(each, names)] == []


def test_uniqueness_holds_inside_a_tenant_and_not_over_all() -> None:
    schema = "\n".join(path.read_text("utf-8") for path in (sources.ROOT / "graph/migrations").glob("*.cypher"))
    rules = re.findall(r"FOR \((\w+):(\w+)\) REQUIRE (.+?) IS UNIQUE", schema)
    assert rules
    assert [
        f"{label}: {what}"
        for variable, label, what in rules
        if label in cypher.TENANT_LABELS - {"ApiKey"} and not what.startswith(f"({variable}.tenant,")
    ] == []


# What a property is set to is read before the lock is held: set to itself, it undoes what another transaction wrote
# meanwhile. Only what never changes may lock.
ITSELF = re.compile(r"\b(\w+)\.(\w+) = \1\.\2\b(?! *[-+])")


def test_a_node_is_locked_by_what_never_changes() -> None:
    found = {name: {prop for _, prop in ITSELF.findall(query)} for name, query in cypher.every_query().items()}
    assert any(found.values())
    assert {name: props - {"created_at"} for name, props in found.items() if props - {"created_at"}} == {}


class TestTheseRulesCanFail:
    @pytest.mark.parametrize(
        "query",
        [
            "MATCH (m:Memory {id: $id}) RETURN m",
            "MATCH (:Project)<-[:IN_PROJECT]-(m:Memory) RETURN m",
            "MATCH (a:Agent|Session) RETURN a",
            "MATCH (n) WHERE n:Entity RETURN n",
            "MERGE (e:Entity {key: $key}) RETURN e",
            "MATCH (m:Memory:Searchable) RETURN m",
        ],
    )
    def test_a_query_without_its_tenant_is_found(self, query: str) -> None:
        assert cypher.lacks_tenant(query)

    @pytest.mark.parametrize(
        "query",
        [
            "MATCH (m:Memory {tenant: $tenant, id: $id}) RETURN m",
            "MATCH (v:SchemaVersion) RETURN v",
            "MATCH ()-[r:MENTIONS]->() RETURN r",
        ],
    )
    def test_a_query_with_it_or_without_tenants_passes(self, query: str) -> None:
        assert not cypher.lacks_tenant(query)

    def test_one_node_with_the_tenant_does_not_excuse_another_without(self) -> None:
        query = "MATCH (m:Memory {tenant: $tenant, id: $id}) MATCH (e:Entity {key: $key}) MERGE (m)-[:MENTIONS]->(e)"
        assert cypher.keyed_without_tenant(query) == ["(e:Entity {key: $key}"]

    @pytest.mark.parametrize(
        "line",
        [
            'x = f"MATCH (m:{label}) RETURN m"',
            'x = "MATCH (m:%s) RETURN m" % label',
            'x = "MATCH (m:Memory) " + clause',
            'x = "MATCH (m:{}) RETURN m".format(label)',
            'x = GET.replace("A", label)',
            "x = GET + clause",
            "X = GET + clause()",
            'x = f"{GET} LIMIT 3"',
            'x = " ".join([GET, clause])',
            "def f():\n    return GET + SHOWN",
            "def f():\n    return keys.GET + keys.SHOWN",
        ],
    )
    def test_every_way_to_build_one_is_seen(self, line: str) -> None:
        module = cypher.constants(sources.parse("graph.agents", line))
        assert list(cypher.built(module, {"GET", "SHOWN"}))

    def test_pieces_joined_at_module_level_are_read_as_one_query(self) -> None:
        source = 'SHOWN = "RETURN m"\nGET = "CYPHER 25 MATCH (m:Memory {id: $id}) " + SHOWN\n'
        module = cypher.constants(sources.parse("graph.memories", source))
        assert module.queries() == {"GET": "CYPHER 25 MATCH (m:Memory {id: $id}) RETURN m"}
        assert list(cypher.built(module, {"GET", "SHOWN"})) == []

    def test_each_query_of_a_table_is_read_by_itself(self) -> None:
        source = 'SHOWN = "RETURN m"\nLISTS = {"a": "CYPHER 25 MATCH (m:Memory {id: $id}) " + SHOWN, "b": "RETURN 1"}\n'
        module = cypher.constants(sources.parse("graph.memories", source))
        assert module.queries()["LISTS[a]"] == "CYPHER 25 MATCH (m:Memory {id: $id}) RETURN m"
        assert cypher.lacks_tenant(module.queries()["LISTS[a]"])
        assert list(cypher.built(module, {"SHOWN"})) == []

    def test_a_query_outside_a_constant_is_seen(self) -> None:
        module = cypher.constants(sources.parse("graph.agents", 'def get(tx):\n    tx.run("MATCH (a) RETURN a")'))
        assert list(cypher.loose(module))
