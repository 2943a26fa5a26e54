"""Erasing: what goes, found by what it says of itself, and counted as it goes.

What is counted before (a dry run) and after (the receipt's verification) is counted label by label and property by
property, not by the queries that erase: a link that was never made hides nothing from it.
"""

from collections.abc import Sequence
from typing import Any

from graph.clock import now_ms
from graph.records import Ids, Row
from graph.repository import Repository

MEMORIES = {
    "memory": "CYPHER 25 MATCH (m:Memory {tenant: $tenant, id: $subject}) RETURN m.id AS id LIMIT $limit",
    "user": """
CYPHER 25 MATCH (m:Memory {tenant: $tenant, user_id: $subject}) WHERE m.created_at >= 0 RETURN m.id AS id LIMIT $limit
""",
    "agent": """
CYPHER 25 MATCH (m:Memory {tenant: $tenant, agent_id: $subject}) WHERE m.created_at >= 0 RETURN m.id AS id LIMIT $limit
""",
    "session": """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, session_id: $subject}) WHERE m.created_at >= 0 RETURN m.id AS id LIMIT $limit
""",
    "project": """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, project_id: $subject}) WHERE m.created_at >= 0 RETURN m.id AS id LIMIT $limit
""",
}
DECISIONS = {
    "agent": """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, agent_id: $subject}) WHERE d.created_at >= 0 RETURN d.id AS id LIMIT $limit
""",
    "session": """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, session_id: $subject}) WHERE d.created_at >= 0 RETURN d.id AS id LIMIT $limit
""",
    "project": """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, project_id: $subject}) WHERE d.created_at >= 0 RETURN d.id AS id LIMIT $limit
""",
}
PATTERNS = """
CYPHER 25
MATCH (x:Pattern {tenant: $tenant, source_slug: $slug}) WHERE x.created_at >= 0 RETURN x.id AS id LIMIT $limit
"""
SESSIONS = {
    "agent": """
CYPHER 25
MATCH (s:Session {tenant: $tenant, agent_id: $subject}) WHERE s.created_at >= 0 RETURN s.id AS id LIMIT $limit
""",
    "session": "CYPHER 25 MATCH (s:Session {tenant: $tenant, id: $subject}) RETURN s.id AS id LIMIT $limit",
    "project": """
CYPHER 25
MATCH (s:Session {tenant: $tenant, project: $slug}) WHERE s.created_at >= 0 RETURN s.id AS id LIMIT $limit
""",
}
TRASH = """
CYPHER 25
MATCH (t:Trashed {tenant: $tenant})
WHERE t.created_at >= 0 AND (t.id = $subject OR t.deleted_with = $subject OR t[$facet] = $subject)
RETURN t.id AS id LIMIT $limit
"""
# Locked as deleting locks them. A summary that was made of memories' words goes with them and can be made again.
BEFORE = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted})
OPTIONAL MATCH (m)-[:IN_SESSION]->(s:Session)
SET s.created_at = s.created_at, m.created_at = m.created_at
REMOVE s.digest, s.digest_count, s.digest_at, s.digest_method
WITH m, wanted WHERE EXISTS { (:Memory {tenant: $tenant, id: wanted}) }
WITH m
OPTIONAL MATCH (part:Searchable|MemoryChange)-[:VERSION_OF|WINDOW_OF|CHANGE_OF]->(m)
WITH m, collect(part) AS parts
WITH m, parts, parts + [m] AS all
CALL (m) { OPTIONAL MATCH (m)-[:MENTIONS|MENTIONED|ABOUT]->(e:Entity) RETURN collect(DISTINCT e.id) AS named }
CALL (m) {
  OPTIONAL MATCH (j:Job)-[:FOR]->(m)
  WITH collect(j) AS jobs
  FOREACH (j IN jobs | DETACH DELETE j)
  RETURN size(jobs) AS jobs
}
RETURN m.id AS id, named, jobs, size([p IN parts WHERE p:MemoryVersion]) AS versions,
  size([p IN parts WHERE p:MemoryWindow]) AS windows, size([p IN parts WHERE p:MemoryChange]) AS changes,
  size([n IN all WHERE n.embedding IS NOT NULL OR n.embedding_b IS NOT NULL]) AS vectors, COUNT { (m)--() } AS links
"""
# What events said of it; the rows stay, so that numbers have no gap. Deliveries that are still on their way go on, with
# ids alone.
EVENTS = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (e:Event {tenant: $tenant, noun_id: wanted}) WHERE e.created_at <= $before
WITH e, e.data <> '{}' AS said
SET e.data = '{}'
WITH e, said
CALL (e) {
  MATCH (d:Delivery)-[:OF]->(e) WHERE d.state <> 'pending'
  WITH collect(d) AS done
  FOREACH (d IN done | DETACH DELETE d)
  RETURN size(done) AS done
}
RETURN count(CASE WHEN said THEN 1 END) AS events, coalesce(sum(done), 0) AS deliveries
"""
# That something was deleted is told by what its deletion left behind; what is erased is not told of.
UNTOLD = """
CYPHER 25
MATCH (c:MemoryChange {tenant: $tenant})
WHERE c.created_at >= 0 AND c.kind = 'deleted' AND (c.memory_id IN $ids OR c[$facet] = $subject)
WITH c LIMIT $limit
DELETE c
RETURN count(*) AS gone
"""
TOPICS_OF = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (e:Entity {tenant: $tenant, id: wanted})-[:IN_TOPIC]->(t:Topic)
WITH DISTINCT t
DETACH DELETE t
RETURN count(*) AS gone
"""
OF_LABEL = """
WITH n LIMIT $limit
WITH collect(n) AS found
CALL (found) {
  UNWIND found AS n
  RETURN count(CASE WHEN n.embedding IS NOT NULL OR n.embedding_b IS NOT NULL THEN 1 END) AS vectors,
    coalesce(sum(COUNT { (n)--() }), 0) AS links
}
FOREACH (n IN found | DETACH DELETE n)
RETURN size(found) AS gone, vectors, links
"""
MEMORY = "CYPHER 25 MATCH (n:Memory {tenant: $tenant}) WHERE n.id >= '' "
VERSION = "CYPHER 25 MATCH (n:MemoryVersion {tenant: $tenant}) WHERE n.id >= '' "
CHANGE = "CYPHER 25 MATCH (n:MemoryChange {tenant: $tenant}) WHERE n.id >= '' "
WINDOW = "CYPHER 25 MATCH (n:MemoryWindow {tenant: $tenant}) WHERE n.id >= '' "
AGENT = "CYPHER 25 MATCH (n:Agent {tenant: $tenant}) WHERE n.id >= '' "
SESSION = "CYPHER 25 MATCH (n:Session {tenant: $tenant}) WHERE n.id >= '' "
PROJECT = "CYPHER 25 MATCH (n:Project {tenant: $tenant}) WHERE n.id >= '' "
ENTITY = "CYPHER 25 MATCH (n:Entity {tenant: $tenant}) WHERE n.id >= '' "
NAME = "CYPHER 25 MATCH (n:EntityName {tenant: $tenant}) WHERE n.key >= '' "
TOPIC = "CYPHER 25 MATCH (n:Topic {tenant: $tenant}) WHERE n.id >= '' "
DECISION = "CYPHER 25 MATCH (n:Decision {tenant: $tenant}) WHERE n.id >= '' "
PATTERN = "CYPHER 25 MATCH (n:Pattern {tenant: $tenant}) WHERE n.id >= '' "
WEBHOOK = "CYPHER 25 MATCH (n:Webhook {tenant: $tenant}) WHERE n.id >= '' "
CALLBACK = "CYPHER 25 MATCH (n:Callback {tenant: $tenant}) WHERE n.id >= '' "
DELIVERY = "CYPHER 25 MATCH (n:Delivery {tenant: $tenant}) WHERE n.id >= '' "
EVENT = "CYPHER 25 MATCH (n:Event {tenant: $tenant}) WHERE n.id >= '' "
JOB = "CYPHER 25 MATCH (n:Job {tenant: $tenant}) WHERE n.id >= '' "
REPEATED = "CYPHER 25 MATCH (n:IdempotencyRecord {tenant: $tenant}) WHERE n.key >= '' "
LLM_KEY = "CYPHER 25 MATCH (n:ExtractionKey {tenant: $tenant}) WHERE n.id >= '' "
TRASHED = "CYPHER 25 MATCH (n:Trashed {tenant: $tenant}) WHERE n.id >= '' "
TRASHED_LINKS = "CYPHER 25 MATCH (n:TrashedLinks {tenant: $tenant}) WHERE n.id >= '' "
IMPORTED = "CYPHER 25 MATCH (n:ImportChunk {tenant: $tenant}) WHERE n.id >= '' "
# Where an import stopped: what it had written is gone, so that doing it again must begin anew.
PLACE = "CYPHER 25 MATCH (n:Counter {tenant: $tenant}) WHERE n.name STARTS WITH 'import ' "
# Looked for among all that is searchable, whatever index knows of it.
INDEXED = "CYPHER 25 MATCH (n:Searchable) WHERE n.tenant = $tenant "
# Of a whole tenant everything goes but its keys, its usage and its audit trail, which hold ids and counts.
# Jobs first: an import that is under way ends when it misses its own.
WHOLE = {
    "jobs": JOB + OF_LABEL,
    "import_pieces": IMPORTED + OF_LABEL,
    "import_places": PLACE + OF_LABEL,
    "memories": MEMORY + OF_LABEL,
    "versions": VERSION + OF_LABEL,
    "windows": WINDOW + OF_LABEL,
    "changes": CHANGE + OF_LABEL,
    "decisions": DECISION + OF_LABEL,
    "patterns": PATTERN + OF_LABEL,
    "topics": TOPIC + OF_LABEL,
    "entities": ENTITY + OF_LABEL,
    "names": NAME + OF_LABEL,
    "sessions": SESSION + OF_LABEL,
    "projects": PROJECT + OF_LABEL,
    "agents": AGENT + OF_LABEL,
    "trash": TRASHED + OF_LABEL,
    "trash_links": TRASHED_LINKS + OF_LABEL,
    "deliveries": DELIVERY + OF_LABEL,
    "callbacks": CALLBACK + OF_LABEL,
    "webhooks": WEBHOOK + OF_LABEL,
    "events": EVENT + OF_LABEL,
    "idempotency_records": REPEATED + OF_LABEL,
    "extraction_keys": LLM_KEY + OF_LABEL,
}
# Parts that an import wrote which never came to their memory.
PARTED = {
    "versions": VERSION + "AND n[$facet] = $value AND NOT EXISTS { (n)-[:VERSION_OF]->() }" + OF_LABEL,
    "windows": WINDOW + "AND n[$facet] = $value AND NOT EXISTS { (n)-[:WINDOW_OF]->() }" + OF_LABEL,
    "changes": CHANGE + "AND n[$facet] = $value AND NOT EXISTS { (n)-[:CHANGE_OF]->() }" + OF_LABEL,
}
CHOSEN = "AND ($facet = '' OR n[$facet] = $value) RETURN count(n) AS total"
COUNT = {
    "memories": MEMORY + CHOSEN,
    "versions": VERSION + CHOSEN,
    "windows": WINDOW + CHOSEN,
    "changes": CHANGE + CHOSEN,
    "decisions": DECISION + CHOSEN,
    "patterns": PATTERN + CHOSEN,
    "topics": TOPIC + CHOSEN,
    "entities": ENTITY + CHOSEN,
    "names": NAME + CHOSEN,
    "sessions": SESSION + CHOSEN,
    "projects": PROJECT + CHOSEN,
    "agents": AGENT + CHOSEN,
    "trash": TRASHED + CHOSEN,
    "trash_links": TRASHED_LINKS + CHOSEN,
    "deliveries": DELIVERY + CHOSEN,
    "callbacks": CALLBACK + CHOSEN,
    "webhooks": WEBHOOK + CHOSEN,
    "events": EVENT + CHOSEN,
    "jobs": JOB + CHOSEN,
    "import_pieces": IMPORTED + CHOSEN,
    "import_places": PLACE + CHOSEN,
    "idempotency_records": REPEATED + CHOSEN,
    "extraction_keys": LLM_KEY + CHOSEN,
    "indexed": INDEXED + CHOSEN,
}
# A window does not name its memory: it hangs on it, or on nothing at all, which must not be.
WINDOWS_OF = """
CYPHER 25
MATCH (n:MemoryWindow {tenant: $tenant})
WHERE n.id >= '' AND (EXISTS { (n)-[:WINDOW_OF]->(:Memory {tenant: $tenant, id: $value}) }
  OR NOT EXISTS { (n)-[:WINDOW_OF]->(:Memory) })
RETURN count(n) AS total
"""
# What is asked about one subject: the property that names it, by what is counted.
FACETS = {
    "memory": {
        "memories": "id", "versions": "memory_id", "changes": "memory_id", "trash": "id", "trash_links": "of",
    },
    "user": dict.fromkeys(("memories", "versions", "windows", "changes", "indexed", "trash"), "user_id"),
    "agent": {
        **dict.fromkeys(("memories", "versions", "windows", "changes", "indexed", "trash"), "agent_id"),
        "decisions": "agent_id", "sessions": "agent_id", "agents": "id", "trash_links": "of",
    },
    "session": {
        **dict.fromkeys(("memories", "versions", "windows", "changes", "indexed", "trash"), "session_id"),
        "decisions": "session_id", "sessions": "id", "trash_links": "of",
    },
    "project": {
        **dict.fromkeys(("memories", "versions", "windows", "changes", "indexed", "trash"), "project_id"),
        "decisions": "project_id", "projects": "id", "patterns": "source_slug", "sessions": "project",
        "trash_links": "of",
    },
}  # fmt: skip
BY_SLUG = frozenset(("source_slug", "project"))


class EraserRepository(Repository):
    """What one tenant erases. `subject` is an id (a user id as the client gave it); `slug` is that of a project."""

    def found(self, what: str, by: str, subject: str, slug: str, limit: int) -> Ids:
        """Return up to `limit` ids to erase; `what` is memories, decisions, patterns, sessions or trash."""
        queries: dict[str, dict[str, str]] = {"memories": MEMORIES, "decisions": DECISIONS, "sessions": SESSIONS}
        query = queries[what].get(by) if what in queries else {"trash": TRASH, "patterns": PATTERNS}[what]
        if query is None or (what == "patterns" and by != "project"):
            return []
        facet = "id" if by == "memory" else f"{by}_id"
        rows = self.read(query, subject=subject, slug=slug or subject, facet=facet, limit=limit)
        return [row["id"] for row in rows]

    def prepare(self, ids: Sequence[str]) -> list[Row]:
        """Lock memories, drop their jobs and what was summed up of them; return what hangs on each.

        Each row is `{id, named, jobs, versions, windows, changes, vectors, links}`, `named` being ids of entities.
        """
        return self.write(BEFORE, ids=sorted(ids))

    def silence(self, ids: Sequence[str]) -> Row:
        """Drop what events said of things so far, and the log of their deliveries; return `{events, deliveries}`."""
        return self.write(EVENTS, ids=sorted(ids), before=now_ms())[0]

    def untell(self, ids: Sequence[str], by: str, subject: str, limit: int) -> int:
        """Delete what tells that these memories were deleted, or memories of the subject were; return how many went."""
        facet = {"memory": "memory_id", "user": "user_id"}.get(by, f"{by}_id")
        return int(self.write(UNTOLD, ids=list(ids), facet=facet, subject=subject, limit=limit)[0]["gone"])

    def forget_topics(self, ids: Sequence[str]) -> int:
        """Delete the topics of entities, which are named after them; return how many."""
        return int(self.write(TOPICS_OF, ids=list(ids))[0]["gone"])

    def sweep(self, what: str, limit: int) -> Row:
        """Delete up to `limit` nodes of a kind of WHOLE; return `{gone, vectors, links}`."""
        return self.write(WHOLE[what], limit=limit)[0]

    def parted(self, what: str, by: str, subject: str, limit: int) -> Row:
        """Delete up to `limit` versions, windows or changes of a subject that hang on no memory; as `sweep`."""
        facet = FACETS[by].get(what)
        if facet is None:
            return {"gone": 0, "vectors": 0, "links": 0}
        return self.write(PARTED[what], facet=facet, value=subject, limit=limit)[0]

    def left(self, by: str, subject: str, slug: str) -> dict[str, int]:
        """Return how much there is of each kind, label by label."""
        if by == "tenant":
            return {name: self._count(query, "", "") for name, query in COUNT.items()}
        found = {
            name: self._count(COUNT[name], facet, (slug or subject) if facet in BY_SLUG else subject)
            for name, facet in FACETS[by].items()
        }
        if by in ("agent", "session", "project"):
            found["trash"] += self._count(COUNT["trash"], "id", subject)
        if by == "memory":
            found["windows"] = int(self.read(WINDOWS_OF, value=subject)[0]["total"])
        return found

    def _count(self, query: str, facet: str, value: Any) -> int:
        return int(self.read(query, facet=facet, value=value)[0]["total"])
