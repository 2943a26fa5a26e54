"""Search over the nouns beside memories that carry the label Searchable: decisions and patterns.

They live in the memories' indexes under a `kind` and a scope token of their own, so neither side starves the other.
`VECTOR_INDEX`, `EMBEDDING` and `NARROWED` are filled in by `graph.labels`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from graph import labels
from graph.records import Row, vector
from graph.slotted import Slotted

# Texts are cut: they come back only to see which of the question's words they hold.
FOUND = """
CYPHER 25
CALL () {
  MATCH (m:Searchable)
  SEARCH m IN (VECTOR_INDEX FOR $probe
    WHERE m.tenant = $tenant AND m.kind = $kind AND m.current IN $current NARROWED
    LIMIT $deep) SCORE AS x
  RETURN m
 UNION
  MATCH (m:Searchable)
  SEARCH m IN (FULLTEXT INDEX memory_text FOR $text LIMIT $wide) SCORE AS x
  WHERE x > 0.0 AND m.tenant = $tenant AND m.kind = $kind AND m.current IN $current NARROWED
  WITH m, x ORDER BY x DESC LIMIT $deep
  RETURN m
}
RETURN m.id AS id, coalesce(vector.similarity.cosine(m.EMBEDDING, $probe), 0.5) AS near,
  CASE WHEN m.content IS :: STRING THEN left(m.content, $most) ELSE m.content END AS text
"""

DEEP = 60
# The text arm looks further, because the text index filters only after its limit.
WIDE = 500
MOST_TEXT = 12_000


@lru_cache(maxsize=256)
def _filled(slot: str, names: tuple[str, ...]) -> str:
    return labels.in_slot(labels.narrowed(FOUND, names), slot)


class SearchableRepository(Slotted):
    """Finds the ids of one kind (`decision` or `pattern`) in one tenant. `slot` names the vectors in force."""

    def found(
        self, kind: str, probe: Any, text: str, filters: Mapping[str, Any], *, everything: bool = False
    ) -> list[Row]:
        """Return `{id, near, text}` of what either arm found, unordered; `near` is (1 + cosine) / 2.

        `text` is a Lucene query, `filters` are by the names of `labels.SEARCH_CONDITIONS`; `everything` also finds what
        is no longer in force.
        """
        return self.read(
            _filled(self.slot, tuple(sorted(filters))),
            kind=kind,
            probe=vector(probe),
            text=text,
            current=[True, False] if everything else [True],
            deep=DEEP,
            wide=WIDE,
            most=MOST_TEXT,
            **filters,
        )
