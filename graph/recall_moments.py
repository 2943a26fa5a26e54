"""A search of the past: candidates among what memories said at `as_of` (epoch ms), old texts with their old vectors.

The two arms look into the indexes of today, where what memories said before stands beside what they say. They answer in
the shapes of `graph.recall`; no names and no later stretches of long texts are followed here. `VECTOR_INDEX`,
`EMBEDDING` and `NARROWED` are filled in by `graph.labels`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from graph import labels
from graph.clock import now_ms
from graph.driver import Graph
from graph.moments import EVERYTHING, PASSING, STATE
from graph.recall import RecallRepository
from graph.records import Row, vector
from graph.repository import Tenanted

# What the index can tell of the period: the memory was stored, and what was found was not replaced.
NEAR = """
CYPHER 25
CALL () {
  MATCH (m:Searchable)
  SEARCH m IN (VECTOR_INDEX FOR $probe
    WHERE m.tenant = $tenant AND m.kind IN ['memory', 'version'] AND m.created_at <= $as_of AND m.superseded_at > $as_of
      AND m.expires_at > $now NARROWED
    LIMIT $deep) SCORE AS x
  RETURN collect({n: m, vs: x, lex: 0.0}) AS near
}
"""
WORDED = """
CALL () {
  MATCH (m:Searchable)
  SEARCH m IN (FULLTEXT INDEX memory_text FOR $text LIMIT $deep) SCORE AS x
  WITH m, x, x > 0.0 AND m.tenant = $tenant AND m.kind IN ['memory', 'version'] AND m.created_at <= $as_of
    AND m.superseded_at > $as_of AND m.expires_at > $now NARROWED AS fits
  RETURN count(*) AS texts_seen, collect(CASE WHEN fits THEN {n: m, vs: null, lex: x} END) AS texts
}
"""
# The rest is told by the node itself: from when it said this, and by its memory: whether it still stood.
STANDING = """
  UNWIND found AS h
  WITH h, h.n AS n
  WITH h, n, CASE n.kind WHEN 'memory' THEN n ELSE head(COLLECT {
    MATCH (n)-[:VERSION_OF]->(w:Memory) RETURN w }) END AS m
  WITH h, n, m WHERE coalesce(n.said_since, n.created_at) <= $as_of AND m.superseded_at > $as_of AND m.expires_at > $now
  CALL (m) {
"""
STOOD = (
    STANDING
    + STATE
    + """
    RETURN s
  }
  WITH h, n, m, s
"""
    + PASSING
)
BEST = (
    "CALL (found) { " + STOOD + " RETURN collect([m.id, h.vs + h.lex, CASE WHEN $whole THEN s.metadata END]) AS kept }"
)
NEAREST_THEN = NEAR + "WITH near AS found, size(near) AS seen " + BEST + " RETURN seen, kept AS found"
WORDED_THEN = (
    "CYPHER 25"
    + WORDED
    + "WITH [h IN texts | {n: h.n, vs: 0.0, lex: h.lex}] AS found, texts_seen AS seen "
    + BEST
    + " RETURN seen, kept AS found"
)
CANDIDATES_THEN = (
    NEAR
    + WORDED
    + """
WITH near, texts, texts_seen, near + texts AS found
CALL (found) {
"""
    + STOOD
    + """
  WITH m, s, n, max(h.vs) AS vs, max(h.lex) AS lex
  RETURN collect({m: m, s: s, vs: coalesce(vs, vector.similarity.cosine(n.EMBEDDING, $v), 0.0), lex: lex, near: vs})
    AS every
}
RETURN [f IN every | f.m.id] AS ids, [f IN every | f.vs] AS near_scores, [f IN every | f.lex] AS text_scores,
  [f IN every | head(COLLECT { WITH f.m AS m MATCH (m)-[:NEXT]->(o:Memory) RETURN o.id })] AS nexts,
  [f IN every | f.s.importance] AS importances, [f IN every | f.s.tier] AS tiers,
  [f IN every | f.m.created_at] AS created, [f IN every | f.s.occurred_at] AS occurred,
  [f IN every | COUNT { WITH f.m AS m MATCH (m)-[r:DERIVED_FROM]->() WHERE r.from <= $as_of }
    + COUNT { WITH f.m AS m MATCH (m)<-[r:BASED_ON|DERIVED_FROM]-() WHERE r.from <= $as_of }] AS evidences,
  CASE WHEN $whole THEN [f IN every | f.s.metadata] ELSE [] END AS metadata,
  [] AS seeds, [] AS seed_names, [] AS links, [] AS beside, [] AS named, size(near) AS near_seen,
  size([f IN every WHERE f.near IS NOT NULL]) AS near_kept, texts_seen,
  size([f IN every WHERE f.lex > 0.0]) AS texts_kept
"""
)
# As many rows as the indexes may bring: how far a look can go.
REACH = """
CYPHER 25
CALL () { MATCH (m:Memory {tenant: $tenant}) WHERE m.created_at >= 0 RETURN count(m) AS memories }
CALL () { MATCH (v:MemoryVersion {tenant: $tenant}) WHERE v.id >= '' RETURN count(v) AS versions }
RETURN memories + versions AS total
"""


@lru_cache(maxsize=256)
def _filled(query: str, slot: str, names: tuple[str, ...]) -> str:
    return labels.in_slot(labels.narrowed(query, names), slot)


class PastRecallRepository(RecallRepository):
    """Searches of one tenant's past; ids are those of memories. Filters are asked of the memories as they were."""

    def __init__(self, graph: Graph, caller: Tenanted, as_of: int, slot: str = "a") -> None:
        super().__init__(graph, caller, slot)
        self.as_of = as_of

    def candidates(self, filters: Mapping[str, Any], vector_of_question: Any, **parameters: Any) -> Row:
        """Return the one row of CANDIDATES_THEN; `use_vectors` False leaves that arm empty."""
        v = vector(vector_of_question)
        probe = v if parameters.pop("use_vectors", True) else None
        return self._then(CANDIDATES_THEN, filters, v=v, probe=probe, **parameters)

    def nearest(self, filters: Mapping[str, Any], vector_of_question: Any, **parameters: Any) -> Row:
        """Return `{seen, found: [[id, score, metadata], ...]}`, nearest first; scores are (1 + cosine) / 2."""
        return self._then(NEAREST_THEN, filters, probe=vector(vector_of_question), **parameters)

    def further(self, filters: Mapping[str, Any], vector_of_question: Any, **parameters: Any) -> list[Any]:
        """Return nothing: later stretches are kept of what a memory says now."""
        return []

    def worded(self, filters: Mapping[str, Any], text: str, **parameters: Any) -> Row:
        """Return `{seen, found: [[id, score, metadata], ...]}` of a Lucene query; scores are BM25."""
        return self._then(WORDED_THEN, filters, text=text, **parameters)

    def reach(self) -> int:
        """Return how many rows either index may bring: memories, and what they said before."""
        return int(self.read(REACH)[0]["total"])

    def _then(self, query: str, filters: Mapping[str, Any], **parameters: Any) -> Row:
        lasting = tuple(sorted(name for name in filters if name in labels.LASTING))
        given = {**EVERYTHING, **filters, **parameters, "as_of": self.as_of, "now": now_ms(), "never": labels.NEVER}
        return self.read(_filled(query, self.slot, lasting), **given)[0]
