"""Names of the graph, and the only code that puts a name into Cypher.

Everything here is a constant of ours: nothing that a client sends ever becomes part of a query's text.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

# Far beyond any date a client may send (year 9999), and still an exact float: stands for "never".
NEVER = 253_402_300_799_000
NONE = ""

SEARCHABLE_TEXT_INDEX = "memory_text"

# A vector index cannot be altered, so its filter list is complete from the start (docs/architecture.md).
VECTOR_FILTERS = (
    "tenant", "agent_id", "user_id", "session_id", "project_id", "kind", "memory_type", "tier", "visibility",
    "current", "archived", "importance", "created_at", "occurred_at", "expires_at", "superseded_at",
)  # fmt: skip

# Two slots, so that memories can be embedded anew beside the vectors that still serve.
VECTOR_SLOTS = {"a": ("embedding", "memory_vectors"), "b": ("embedding_b", "memory_vectors_b")}

# Tenant-owned labels, each with its plural noun; `tests/contract` reads this table.
NOUNS = {
    "Memory": "memories",
    "MemoryVersion": "memory versions",
    "MemoryChange": "memory changes",
    "MemoryWindow": "memory windows",
    "Agent": "agents",
    "Session": "sessions",
    "Project": "projects",
    "Entity": "entities",
    "EntityName": "entity names",
    "Topic": "topics",
    "Decision": "decisions",
    "Pattern": "patterns",
    "Webhook": "webhooks",
    "Callback": "callbacks",
    "Delivery": "deliveries",
    "Event": "events",
    "Job": "jobs",
    "ImportChunk": "pieces of files to import",
    "UsageDay": "usage days",
    "AuditEntry": "audit entries",
    "IdempotencyRecord": "idempotency records",
    "ExtractionKey": "extraction keys",
    "Trashed": "deleted items",
    "TrashedLinks": "links of deleted items",
    "Erasure": "erasures",
    "DataKey": "data keys",
}
# What holds texts of clients (`graph.sealing`), each label with the property that names a node of it in its tenant.
SEALED = {
    "EntityName": "key", "Entity": "id", "Memory": "id", "MemoryVersion": "id", "MemoryChange": "id", "Session": "id",
    "Decision": "id", "Pattern": "id", "Project": "id", "Agent": "id", "Topic": "id", "Event": "id", "Trashed": "id",
    "TrashedLinks": "id", "Job": "id", "ImportChunk": "id", "Webhook": "id", "ExtractionKey": "id",
}  # fmt: skip


def other_slot(slot: str) -> str:
    """Return the name of the slot that is not `slot`."""
    return next(name for name in VECTOR_SLOTS if name != slot)


def in_slot(query: str, slot: str) -> str:
    """Return `query` with `EMBEDDING`, `VECTOR_INDEX` and `THIS_SLOT` named for vector slot `slot` ("a" or "b"), and
    `OTHER_VECTOR` for the property of the other slot.

    Raises:
        KeyError: an unknown slot.
    """
    prop, index = VECTOR_SLOTS[slot]
    query = query.replace("OTHER_VECTOR", VECTOR_SLOTS[other_slot(slot)][0]).replace("THIS_SLOT", slot)
    return query.replace("VECTOR_INDEX", f"VECTOR INDEX {index}").replace("EMBEDDING", prop)


def vector_index(slot: str, dimensions: int) -> str:
    """Return the statement that creates the vector index of `slot` for vectors of `dimensions` floats."""
    prop, index = VECTOR_SLOTS[slot]
    filters = ", ".join(f"m.{name}" for name in VECTOR_FILTERS)
    # Stated in full because defaults moved between versions; m 32 / ef 200 found 0.99 of true neighbours (bench).
    return (
        f"CYPHER 25 CREATE VECTOR INDEX {index} IF NOT EXISTS FOR (m:Searchable) ON m.{prop} WITH [{filters}] "
        "OPTIONS {indexConfig: {"
        f"`vector.dimensions`: {int(dimensions)}, `vector.similarity_function`: 'cosine', "
        "`vector.quantization.type`: 'none', `vector.hnsw.m`: 32, `vector.hnsw.ef_construction`: 200}}"
    )


def drop_vector_index(slot: str) -> str:
    """Return the statement that drops the vector index of `slot`."""
    return f"CYPHER 25 DROP INDEX {VECTOR_SLOTS[slot][1]} IF EXISTS"


def text_index(analyzer: str) -> str:
    """Return the statement that creates the full-text index of memories with a known analyzer name.

    Raises:
        ValueError: `analyzer` is not a plain Lucene analyzer name.
    """
    if not analyzer.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"not an analyzer name: {analyzer!r}")
    return (
        f"CYPHER 25 CREATE FULLTEXT INDEX {SEARCHABLE_TEXT_INDEX} IF NOT EXISTS "
        "FOR (m:Searchable) ON EACH [m.content, m.title, m.date_words, m.scope_tokens] "
        "OPTIONS {indexConfig: {"
        f"`fulltext.analyzer`: '{analyzer}', `fulltext.eventually_consistent`: false}}}}"
    )


def scope_token(kind: str, value: str) -> str:
    """Return the opaque word that stands for a tenant or an agent inside the full-text index.

    One letter, 20 hex digits and a closing `q`, which keeps every stemmer's hands off it.
    """
    return kind[0] + hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()[:20] + "q"


# What a search may ask for besides its tenant. Each condition holds inside a vector index and behind a MATCH alike.
SEARCH_CONDITIONS = {
    "agent_id": " AND m.agent_id = $agent_id",
    "user_id": " AND m.user_id = $user_id",
    "session_id": " AND m.session_id = $session_id",
    "project_id": " AND m.project_id = $project_id",
    "memory_type": " AND m.memory_type = $memory_type",
    "tier": " AND m.tier = $tier",
    "visibility": " AND m.visibility = $visibility",
    "archived": " AND m.archived = $archived",
    "min_importance": " AND m.importance >= $min_importance",
    "created_after": " AND m.created_at >= $created_after",
    "created_before": " AND m.created_at < $created_before",
    "occurred_after": " AND m.occurred_at >= $occurred_after",
    "occurred_before": " AND m.occurred_at < $occurred_before",
}
# What tells of no time has "never" there, which would pass "after". The index takes one upper bound and no second.
TOLD = f" AND m.occurred_at < {NEVER}"
# Those of them that hold for all that a memory ever was, or are asked of today: a search of the past asks its index for
# these, and for the others what it has found.
LASTING = ("agent_id", "user_id", "session_id", "project_id", "visibility", "created_after", "created_before")


def narrowed(query: str, names: Iterable[str]) -> str:
    """Return `query` with its NARROWED marks replaced by the conditions of these names, in the order of the table.

    Raises:
        KeyError: a name that is not in SEARCH_CONDITIONS.
    """
    wanted = set(names)
    if unknown := wanted - SEARCH_CONDITIONS.keys():
        raise KeyError(min(unknown))
    # A fixed order: the same set of conditions is always the same text, so its plan is found in the cache.
    conditions = "".join(text for name, text in SEARCH_CONDITIONS.items() if name in wanted)
    if "occurred_after" in wanted and "occurred_before" not in wanted:
        conditions += TOLD
    return query.replace("NARROWED", conditions)


class Link(NamedTuple):
    """A kind of relationship: from which label, of which type, to which label."""

    source: str
    type: str
    target: str


# What an export holds, each label with the property that names a node of it in its tenant. What hangs on others comes
# first: whatever is exported while others write, that on which it hangs was there, and is met later.
TRANSFERRED = {
    "MemoryWindow": "id", "MemoryVersion": "id", "MemoryChange": "id", "Decision": "id", "Pattern": "id",
    "Memory": "id", "Topic": "id", "EntityName": "key", "Entity": "id", "Session": "id", "Project": "id",
    "Agent": "id",
}  # fmt: skip
# A second property that is unique in its tenant.
UNIQUE_TOO = {"Agent": "name", "Session": "external_id", "Project": "slug", "Entity": "key"}
# What belongs to one memory alone.
PARTS = {"MemoryWindow": "WINDOW_OF", "MemoryVersion": "VERSION_OF", "MemoryChange": "CHANGE_OF"}
# How a relationship is known again: `once` by its ends, `typed` by its ends and its `type`, `each` by all it says; of
# an `only` its source has one, and of a `chain` its target as well.
LINKS = {
    Link("Memory", "RECORDED_BY", "Agent"): "only",
    Link("Memory", "IN_SESSION", "Session"): "only",
    Link("Memory", "IN_PROJECT", "Project"): "only",
    Link("Memory", "NEXT", "Memory"): "chain",
    Link("Memory", "MENTIONS", "Entity"): "once",
    Link("Memory", "ABOUT", "Entity"): "once",
    Link("Memory", "MENTIONED", "Entity"): "each",
    Link("Memory", "SUPERSEDES", "Memory"): "once",
    Link("Memory", "DERIVED_FROM", "Memory"): "once",
    **{Link(part, type, "Memory"): "only" for part, type in PARTS.items()},
    Link("Session", "LAST", "Memory"): "only",
    Link("Session", "STARTED_BY", "Agent"): "only",
    Link("Agent", "WORKS_ON", "Project"): "once",
    Link("EntityName", "NAMES", "Entity"): "once",
    Link("Entity", "RELATED_TO", "Entity"): "typed",
    Link("Entity", "WAS_RELATED_TO", "Entity"): "each",
    Link("Entity", "IN_TOPIC", "Topic"): "once",
    Link("Entity", "INTRODUCED_BY", "Agent"): "once",
    Link("Decision", "BASED_ON", "Memory"): "once",
    Link("Decision", "ABOUT", "Entity"): "once",
    Link("Decision", "DEPENDS_ON", "Decision"): "once",
    Link("Decision", "SUPERSEDES", "Decision"): "once",
    Link("Decision", "MADE_BY", "Agent"): "only",
    Link("Decision", "MADE_IN", "Session"): "only",
    Link("Decision", "IN_PROJECT", "Project"): "only",
    Link("Pattern", "FROM", "Project"): "only",
    Link("Project", "ADOPTED", "Pattern"): "once",
    Link("Project", "DEPENDS_ON", "Project"): "typed",
    Link("Project", "RELATES_TO", "Project"): "typed",
}


def of_sealed(query: str, label: str) -> str:
    """Return `query` with `a_label` and `its_key` named for a label of SEALED.

    Raises:
        KeyError: another label.
    """
    return query.replace("its_key", SEALED[label]).replace("a_label", label)


def of_label(query: str, label: str) -> str:
    """Return `query` with `a_label`, `its_key`, `second_key` and `it_lives` named for a label of TRANSFERRED.

    Raises:
        KeyError: another label.
    """
    query = query.replace("its_key", TRANSFERRED[label]).replace("second_key", UNIQUE_TOO.get(label, "id"))
    # What time has taken away is in no read any more. A change keeps the expiry of before it.
    living = "coalesce(n.expires_at, $never) > $now"
    if label == "MemoryChange":
        living = "EXISTS { MATCH (n)-[:CHANGE_OF]->(m) WHERE m.expires_at > $now }"
    return query.replace("it_lives", living).replace("a_label", label)


def of_link(query: str, link: Link) -> str:
    """Return `query` with `a_source`, `its_key`, `a_type` and `a_target` named for a kind of LINKS.

    Raises:
        KeyError: another kind.
    """
    if link not in LINKS:
        raise KeyError(link)
    query = query.replace("a_source", link.source).replace("its_key", TRANSFERRED[link.source])
    return query.replace("a_type", link.type).replace("a_target", link.target)
