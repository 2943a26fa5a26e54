"""What the nouns of events say now, for subscribers who asked for content; events themselves keep no text."""

from graph.clock import now_ms
from graph.records import Row
from graph.repository import Repository

# Keys and webhooks are no part of it, and neither is a confidential memory, nor one that is over. The name of an entity
# that extraction made is words of memories: it is shown while one of those may be.
CONTENT = {
    "memory": """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id}) WHERE m.expires_at > $now AND m.visibility <> 'confidential'
RETURN m.content AS content, m.title AS title
""",
    "entity": """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
WHERE coalesce(e.source, 'manual') = 'manual' OR EXISTS { (e)<-[:ABOUT]-(:Decision) }
  OR EXISTS { (e)<-[:MENTIONS]-(m:Memory) WHERE m.expires_at > $now AND m.visibility <> 'confidential' }
RETURN e.name AS name
""",
    "session": """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
RETURN s.title AS title, s.external_id AS external_id, s.summary AS summary
""",
    "decision": """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id}) RETURN d.title AS title, d.rationale AS rationale
""",
    "pattern": """
CYPHER 25
MATCH (x:Pattern {tenant: $tenant, id: $id}) RETURN x.title AS title, x.description AS description
""",
    "project": """
CYPHER 25
MATCH (p:Project {tenant: $tenant, id: $id}) RETURN p.slug AS slug, p.name AS name, p.description AS description
""",
    "agent": "CYPHER 25 MATCH (a:Agent {tenant: $tenant, id: $id}) RETURN a.name AS name, a.description AS description",
}


class EventContentRepository(Repository):
    """Looks up what events are about, in one tenant."""

    def of(self, noun: str, id: str) -> Row:
        """Return the texts of what changed as they are now; nothing where it is gone or must not be shown."""
        if noun not in CONTENT:
            return {}
        found = self.read(CONTENT[noun], id=id, now=now_ms())
        return {name: value for name, value in found[0].items() if value not in (None, "")} if found else {}
