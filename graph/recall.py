"""Recall: everything a search needs from the graph in one round trip, and the counts that weigh its words.

`VECTOR_INDEX`, `EMBEDDING` and `NARROWED` are filled in by `graph.labels`. Nothing here writes.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from graph import labels
from graph.clock import now_ms
from graph.driver import Graph
from graph.records import Row, vector
from graph.repository import Repository, Tenanted

# Which of those that match equally stand first in Lucene's list depends on how its files came about. Twice as many are
# read as are taken, in the order of their ids where they are equal; those equal to the last one read stay out.
TIED = 2
# One row comes back, made of lists: the driver reads lists three times as fast as rows.
# near and texts: the two arms, best first; further: memories of which a later stretch is near. every: all three, with
# the neighbours in the session of the first of each arm. seeds: the best of the plain sum. links: what is reached from
# them over the names they carry, beside: what stands next to them, named: what carries names of the question. What is
# reached comes as [what leads there..., id, score, importance, tier, created_at, occurred_at, names, evidence,
# metadata]. Evidence is degrees: what a memory was made from, and the decisions and memories that rest on it.
CANDIDATES = """
CYPHER 25
CALL () {
  MATCH (m:Searchable)
  SEARCH m IN (VECTOR_INDEX FOR $probe
    WHERE m.tenant = $tenant AND m.kind = 'memory' AND m.current = true AND m.expires_at > $now NARROWED
    LIMIT $deep) SCORE AS x
  RETURN count(*) AS near_seen,
    collect(CASE WHEN all(p IN $pieces WHERE m.metadata CONTAINS p) THEN {m: m, vs: x, lex: 0.0, far: 0.0} END) AS near
}
CALL () {
  MATCH (m:Searchable)
  SEARCH m IN (VECTOR_INDEX FOR $probe
    WHERE m.tenant = $tenant AND m.kind = 'window' AND m.current = true AND m.expires_at > $now NARROWED
    LIMIT $deep) SCORE AS x
  MATCH (m)-[:WINDOW_OF]->(whole:Memory)
  WITH whole, max(x) - $further AS far
  WHERE all(p IN $pieces WHERE whole.metadata CONTAINS p)
  RETURN collect({m: whole, vs: null, lex: 0.0, far: far}) AS windows
}
CALL () {
  MATCH (m:Searchable)
  SEARCH m IN (FULLTEXT INDEX memory_text FOR $text LIMIT $wide) SCORE AS x
  RETURN count(*) AS texts_seen, min(x) AS least, max(x) AS most_alike,
    collect(CASE WHEN x > 0.0 AND m.tenant = $tenant AND m.kind = 'memory' AND m.current AND m.expires_at > $now
      NARROWED AND all(p IN $pieces WHERE m.metadata CONTAINS p) THEN {m: m, vs: null, lex: x, far: 0.0} END) AS read
}
CALL (texts_seen, least, most_alike, read) {
  UNWIND read AS h
  WITH h ORDER BY h.lex DESC, h.m.id WHERE texts_seen < $wide OR h.lex > least OR least = most_alike
  RETURN collect(h) AS texts
}
CALL (near, windows, texts) {
  CALL (near, windows, texts) {
    UNWIND near[..$most] + windows[..$most] + texts[..$most] AS h
    RETURN h.m AS m, h.vs AS vs, h.lex AS lex, h.far AS far
   UNION ALL
    UNWIND near[..$beside] + texts[..$beside] AS h
    WITH DISTINCT h.m AS a
    MATCH (a)-[:NEXT]-(m:Searchable)
    WHERE m.tenant = $tenant AND m.current AND m.expires_at > $now NARROWED
      AND all(p IN $pieces WHERE m.metadata CONTAINS p)
    RETURN DISTINCT m, null AS vs, 0.0 AS lex, 0.0 AS far
  }
  WITH m, max(vs) AS vs, max(lex) AS lex, max(far) AS far
  WITH m, lex, far, coalesce(vs, vector.similarity.cosine(m.EMBEDDING, $v), 0.0) AS own
  WITH m, lex, CASE WHEN far > own THEN far ELSE own END AS vs
  RETURN collect({m: m, vs: vs, lex: lex, next: head(COLLECT { MATCH (m)-[:NEXT]->(n:Memory) RETURN n.id }),
      evidence: COUNT { (m)-[:DERIVED_FROM]->() } + COUNT { (m)<-[:BASED_ON|DERIVED_FROM]-() }}) AS every,
    max(vs) AS best_near, max(lex) AS best_text
}
CALL (every, best_near, best_text) {
  UNWIND every AS f
  WITH f.m AS a, $lexical * (CASE WHEN best_text > 0 THEN f.lex / best_text ELSE 0.0 END) ^ $lexical_power
    + (1 - $lexical) * (CASE WHEN 2 * f.vs - 1 > $floor
        THEN (2 * f.vs - 1 - $floor) / (2 * best_near - 1 - $floor) ELSE 0.0 END) ^ $dense_power AS s
  ORDER BY s DESC, a.id LIMIT $seeds
  RETURN collect(a) AS seeds, collect(COUNT { (a)-[:MENTIONS]->() }) AS seed_names
}
CALL (seeds) {
  UNWIND range(0, size(seeds) - 1) AS i
  WITH i, seeds[i] AS a
  MATCH (a)-[:MENTIONS]->(e:Entity)
  WITH i, a, e, COUNT { (e)<-[:MENTIONS]-() } AS df, COUNT { (e)<-[:ABOUT]-() } AS titles
  WITH i, a, e, df, titles, df > 1 AND df <= $most_shared AND NOT e.noise AS shared
  WHERE shared OR 0 < titles <= $most_titled
  WITH i, a, e, df, titles, shared, log(1 + $total / df) * CASE
    WHEN e.name_key IN $asked OR (size(e.name_key) > 4 AND $padded CONTAINS e.padded) THEN $asked_weight
    ELSE 1.0 END AS w
  CALL (e, shared) {
    WITH e, shared WHERE shared
    MATCH (e)<-[r:MENTIONS]-(m:Memory)
    RETURN m, r.about AS about
   UNION ALL
    WITH e, shared WHERE NOT shared
    MATCH (e)<-[:ABOUT]-(m:Memory)
    RETURN m, true AS about
  }
  WITH i, a, m, df, titles, shared, about, w
  WHERE m <> a AND m.tenant = $tenant AND m.current AND m.expires_at > $now NARROWED
    AND all(p IN $pieces WHERE m.metadata CONTAINS p)
  WITH i, m, sum(CASE WHEN about AND titles > 0 THEN w / titles ELSE 0.0 END) AS titled,
    sum(CASE WHEN shared THEN w / df ELSE 0.0 END) AS share
  WITH m, collect([i, titled, share]) AS ways, sum(titled + $shared_name * share) AS rank
  ORDER BY rank DESC, m.id LIMIT $targets
  RETURN collect([ways, m.id, coalesce(vector.similarity.cosine(m.EMBEDDING, $v), 0.0), m.importance, m.tier,
    m.created_at, m.occurred_at, COUNT { (m)-[:MENTIONS]->() },
    COUNT { (m)-[:DERIVED_FROM]->() } + COUNT { (m)<-[:BASED_ON|DERIVED_FROM]-() },
    CASE WHEN $whole THEN m.metadata END]) AS links
}
CALL (seeds) {
  UNWIND CASE WHEN $beside > 0 THEN range(0, size(seeds) - 1) ELSE [] END AS i
  WITH i, seeds[i] AS a
  MATCH way = (a)-[:NEXT]-{1,2}(m:Searchable)
  WHERE m.tenant = $tenant AND m.current AND m.expires_at > $now NARROWED
    AND all(p IN $pieces WHERE m.metadata CONTAINS p)
  WITH i, m, CASE WHEN startNode(head(relationships(way))) = a THEN length(way) ELSE -length(way) END AS step
  RETURN collect([i, step, m.id, coalesce(vector.similarity.cosine(m.EMBEDDING, $v), 0.0), m.importance, m.tier,
    m.created_at, m.occurred_at, COUNT { (m)-[:MENTIONS]->() },
    COUNT { (m)-[:DERIVED_FROM]->() } + COUNT { (m)<-[:BASED_ON|DERIVED_FROM]-() },
    CASE WHEN $whole THEN m.metadata END]) AS beside
}
CALL () {
  UNWIND $named AS id
  MATCH (e:Entity {tenant: $tenant, id: id})
  WITH e, COUNT { (e)<-[:MENTIONS]-() } AS df
  WHERE NOT e.noise AND 0 < df <= $most_shared
  MATCH (e)<-[r:MENTIONS]-(m:Memory)
  WHERE m.tenant = $tenant AND m.current AND m.expires_at > $now NARROWED
    AND all(p IN $pieces WHERE m.metadata CONTAINS p)
  WITH m, sum(log(1 + $total / df) * CASE WHEN r.about THEN 1.5 ELSE 1.0 END) AS weight
  ORDER BY weight DESC, m.id LIMIT $targets
  RETURN collect([weight, m.id, coalesce(vector.similarity.cosine(m.EMBEDDING, $v), 0.0), m.importance, m.tier,
    m.created_at, m.occurred_at, COUNT { (m)-[:MENTIONS]->() },
    COUNT { (m)-[:DERIVED_FROM]->() } + COUNT { (m)<-[:BASED_ON|DERIVED_FROM]-() },
    CASE WHEN $whole THEN m.metadata END]) AS named
}
RETURN [f IN every | f.m.id] AS ids, [f IN every | f.vs] AS near_scores, [f IN every | f.lex] AS text_scores,
  [f IN every | f.next] AS nexts, [f IN every | f.m.importance] AS importances, [f IN every | f.m.tier] AS tiers,
  [f IN every | f.m.created_at] AS created, [f IN every | f.m.occurred_at] AS occurred,
  [f IN every | f.evidence] AS evidences,
  CASE WHEN $whole THEN [f IN every | f.m.metadata] ELSE [] END AS metadata,
  [s IN seeds | s.id] AS seeds, seed_names, links, beside, named, near_seen, size(near) AS near_kept, texts_seen,
  size(read) AS texts_kept
"""
NEAREST = """
CYPHER 25
MATCH (m:Searchable)
SEARCH m IN (VECTOR_INDEX FOR $probe
  WHERE m.tenant = $tenant AND m.kind = 'memory' AND m.current = true AND m.expires_at > $now NARROWED
  LIMIT $deep) SCORE AS x
WITH count(*) AS seen, collect(CASE WHEN all(p IN $pieces WHERE m.metadata CONTAINS p)
  THEN [m.id, x, CASE WHEN $whole THEN m.metadata END] END) AS found
RETURN seen, found
"""
# Memories of which a stretch beyond the reach of their own vector is near.
FURTHER = """
CYPHER 25
MATCH (m:Searchable)
SEARCH m IN (VECTOR_INDEX FOR $probe
  WHERE m.tenant = $tenant AND m.kind = 'window' AND m.current = true AND m.expires_at > $now NARROWED
  LIMIT $deep) SCORE AS x
MATCH (m)-[:WINDOW_OF]->(whole:Memory)
WITH whole, max(x) AS x WHERE all(p IN $pieces WHERE whole.metadata CONTAINS p)
RETURN collect([whole.id, x, CASE WHEN $whole THEN whole.metadata END]) AS found
"""
WORDED = """
CYPHER 25
MATCH (m:Searchable)
SEARCH m IN (FULLTEXT INDEX memory_text FOR $text LIMIT $wide) SCORE AS x
WITH count(*) AS seen, collect(CASE
  WHEN x > 0.0 AND m.tenant = $tenant AND m.kind = 'memory' AND m.current AND m.expires_at > $now NARROWED
    AND all(p IN $pieces WHERE m.metadata CONTAINS p)
  THEN [m.id, x, CASE WHEN $whole THEN m.metadata END] END) AS found
RETURN seen, found
"""
# Lucene counts words over all tenants, so names that fill one chat look rare: count them inside the tenant.
COUNTS = """
CYPHER 25
UNWIND $texts AS text
CALL (text) {
  MATCH (m:Searchable)
  SEARCH m IN (FULLTEXT INDEX memory_text FOR text LIMIT $most) SCORE AS x
  WHERE m.tenant = $tenant
  RETURN count(*) AS df, max(x) AS top
}
RETURN collect(df) AS dfs, collect(coalesce(top, 0.0)) AS tops
"""
TOTAL = "CYPHER 25 MATCH (m:Memory {tenant: $tenant}) WHERE m.created_at >= 0 RETURN count(m) AS total"
VECTORS = """
CYPHER 25
UNWIND $ids AS id
MATCH (m:Memory {tenant: $tenant, id: id}) WHERE m.EMBEDDING IS NOT NULL
RETURN m.id AS id, m.EMBEDDING AS vector
"""
FIRST_MOMENT = """
CYPHER 25
UNWIND range(0, size($ids) - 1) AS place
MATCH (m:Memory {tenant: $tenant, id: $ids[place]}) WHERE m.occurred_at < $never
RETURN m.occurred_at AS occurred_at ORDER BY place LIMIT 1
"""
SAME_TEXT = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, content_hash: $content_hash})
WHERE m.current AND m.expires_at > $now NARROWED
RETURN m.id AS id ORDER BY m.created_at, m.id LIMIT 1
"""


@lru_cache(maxsize=1024)
def _filled(query: str, slot: str, names: tuple[str, ...]) -> str:
    return labels.in_slot(labels.narrowed(query, names), slot)


class RecallRepository(Repository):
    """Searches of one tenant. `slot` names the vectors in force.

    `filters` maps names of `labels.SEARCH_CONDITIONS` to their values. `pieces` are bits of JSON text that a memory's
    metadata must contain; `whole` asks for the metadata itself. `deep` is how far each arm looks before any condition
    that its index does not know. `expired` lets them find what has expired and is not purged yet.
    """

    kind = "Memory"
    expired = False

    def __init__(self, graph: Graph, caller: Tenanted, slot: str = "a") -> None:
        super().__init__(graph, caller)
        self.slot = slot

    def candidates(self, filters: Mapping[str, Any], vector_of_question: Any, **parameters: Any) -> Row:
        """Return the one row of CANDIDATES; `parameters` are its own, `use_vectors` False leaves that arm empty."""
        v = vector(vector_of_question)
        probe = v if parameters.pop("use_vectors", True) else None
        return self._row(CANDIDATES, filters, v=v, probe=probe, wide=TIED * parameters["deep"], **parameters)

    def nearest(self, filters: Mapping[str, Any], vector_of_question: Any, **parameters: Any) -> Row:
        """Return `{seen, found: [[id, score, metadata], ...]}`, nearest first; scores are (1 + cosine) / 2."""
        return self._row(NEAREST, filters, probe=vector(vector_of_question), **parameters)

    def further(self, filters: Mapping[str, Any], vector_of_question: Any, **parameters: Any) -> list[Any]:
        """Return `[id, score, metadata]` of memories by their best stretch beyond their own vector; as `nearest`."""
        found: list[Any] = self._row(FURTHER, filters, probe=vector(vector_of_question), **parameters)["found"]
        return found

    def worded(self, filters: Mapping[str, Any], text: str, **parameters: Any) -> Row:
        """Return `{seen, found: [[id, score, metadata], ...]}` of a Lucene query; scores are BM25."""
        return self._row(WORDED, filters, text=text, wide=TIED * parameters["deep"], **parameters)

    def counts(self, texts: Sequence[str], most: int) -> list[tuple[int, float]]:
        """Return for each Lucene query how many memories of the tenant it finds, up to `most`, and the best score."""
        row = self.read(COUNTS, texts=list(texts), most=most)[0]
        return list(zip(row["dfs"], row["tops"], strict=True))

    def total(self) -> int:
        """Return how many memories the tenant has."""
        return int(self.read(TOTAL)[0]["total"])

    def reach(self) -> int:
        """Return how many rows either index may bring at most."""
        return self.total()

    def vectors(self, ids: Sequence[str]) -> dict[str, list[float]]:
        """Return the vectors of memories by id; one that has none yet is left out."""
        found = self.read(labels.in_slot(VECTORS, self.slot), ids=list(ids))
        return {row["id"]: row["vector"] for row in found}

    def first_moment(self, ids: Sequence[str]) -> int | None:
        """Return when the first of some memories that tells of a moment took place, in epoch milliseconds."""
        found = self.read(FIRST_MOMENT, ids=list(ids), never=labels.NEVER)
        return int(found[0]["occurred_at"]) if found else None

    def same_text(self, filters: Mapping[str, Any], content_hash: str) -> str | None:
        """Return the oldest memory whose text has this hash."""
        found = self.read(
            _filled(SAME_TEXT, self.slot, tuple(filters)), content_hash=content_hash, now=now_ms(), **filters
        )
        return str(found[0]["id"]) if found else None

    def _row(self, query: str, filters: Mapping[str, Any], **parameters: Any) -> Row:
        text = _filled(query, self.slot, tuple(sorted(filters)))
        now = 0 if self.expired else now_ms()
        return self.read(text, now=now, **filters, **parameters)[0]
