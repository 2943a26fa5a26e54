"""What a session tells: its memories in writing order, its timeline, and the summary made of them."""

from graph.clock import now_ms
from graph.memories import SHOWN
from graph.outbox import each
from graph.records import Ids, Row, Rows
from graph.repository import Repository

# Beyond every seq and every UUID.
LAST_SEQ, LAST_ID = 2**62, "g"

# Here and below, naming the equal columns first lets the index carry the order, so that a page costs the same anywhere.
# What happened in a session, each with the key it is ordered by: `at` (ms), then `place`, a text.
TIMELINE = """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
CALL (s) {
  WITH s WHERE s.started_at >= $after AND (s.started_at > $after OR '0' > $place)
  RETURN s.started_at AS at, '0' AS place, 'started' AS kind, s.id AS about
  UNION ALL
  MATCH (m:Memory {tenant: $tenant, session_id: s.id})
  WHERE m.created_at >= $after AND (m.created_at > $after OR m.seq > $after_seq) AND m.expires_at > $now
  WITH m ORDER BY m.tenant, m.session_id, m.created_at, m.seq LIMIT $most
  RETURN m.created_at AS at, '1' + right('0000000000000000000' + toString(m.seq), 19) AS place, 'memory' AS kind,
    m.id AS about
  UNION ALL
  MATCH (d:Decision {tenant: $tenant, session_id: s.id})
  WHERE d.created_at >= $after AND (d.created_at > $after OR d.id > $after_decision)
  WITH d ORDER BY d.tenant, d.session_id, d.created_at, d.id LIMIT $most
  RETURN d.created_at AS at, '2' + d.id AS place, 'decision' AS kind, d.id AS about
  UNION ALL
  WITH s WHERE s.status = 'ended' AND s.ended_at >= $after AND (s.ended_at > $after OR '3' > $place)
  RETURN s.ended_at AS at, '3' AS place, 'ended' AS kind, s.id AS about
}
WITH at, place, kind, about ORDER BY at, place SKIP $offset LIMIT $limit
OPTIONAL MATCH (d:Decision {tenant: $tenant, id: about}) WHERE kind = 'decision'
RETURN at, place, kind, about, d.title AS title, d.rationale AS rationale, d.status AS status
ORDER BY at, place
"""
COUNTS = """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
CALL (s) {
  MATCH (m:Memory {tenant: $tenant, session_id: s.id}) WHERE m.created_at >= 0 AND m.expires_at > $now
  RETURN count(m) AS stored, count(CASE WHEN m.superseded_at > $now THEN 1 END) AS memories
}
RETURN 1 + stored + COUNT { (s)<-[:MADE_IN]-() } + CASE WHEN s.status = 'ended' THEN 1 ELSE 0 END AS total, memories
"""
# Superseded ones too: that they were stored is what happened.
STORED = (
    """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted}) WHERE m.expires_at > $now
WITH m
"""
    + SHOWN
)
# A session's memories in writing order, after the sort key.
PAGE = (
    """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, session_id: $id})
WHERE m.created_at >= $after AND (m.created_at > $after OR m.seq > $after_seq)
  AND m.expires_at > $now AND m.superseded_at > $now
WITH m ORDER BY m.tenant, m.session_id, m.created_at, m.seq SKIP $offset LIMIT $limit
"""
    + SHOWN
    + " ORDER BY created_at, seq"
)
# What a summary is made of. Confidential memories stay out: a summary is shown with the session.
TOLD = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, session_id: $id})
WHERE m.created_at >= 0 AND m.expires_at > $now AND m.superseded_at > $now AND m.visibility = 'private'
  AND NOT m.archived
WITH m ORDER BY m.tenant DESC, m.session_id DESC, m.created_at DESC, m.seq DESC LIMIT $limit
RETURN CASE WHEN m.content IS :: STRING THEN left(m.content, $most) ELSE m.content END AS content,
  m.importance AS importance
ORDER BY m.created_at DESC, m.seq DESC
"""
KEEP_DIGEST = """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
SET s.updated_at = $now
WITH s, NOT $same AND coalesce(s.digest, '') <> $digest.digest AS created
SET s += $digest, s.version = s.version + 1
RETURN s.id AS id, nullIf(s.agent_id, '') AS agent_id, s.version AS version, created
"""
DIGEST = """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
RETURN s.digest AS digest, s.digest_count AS digest_count, s.digest_at AS digest_at, s.digest_method AS digest_method
"""


class SessionStoryRepository(Repository):
    """What happened in the sessions of one tenant. Times are epoch milliseconds."""

    kind = "Session"

    def memories(self, id: str, after: int, after_seq: int, offset: int, limit: int) -> Rows:
        """Return memories in writing order after the sort key (`after`, `after_seq`)."""
        return self.read(PAGE, id=id, after=after, after_seq=after_seq, offset=offset, limit=limit, now=now_ms())

    def timeline(self, id: str, after: int, place: str, offset: int, limit: int) -> Rows:
        """Return what happened, earliest first, after the sort key; `kind` says what, `about` is the id of whom."""
        seq, decision = _beyond(place)
        return self.read(
            TIMELINE, id=id, after=after, place=place, after_seq=seq, after_decision=decision, offset=offset,
            limit=limit, most=offset + limit, now=now_ms(),
        )  # fmt: skip

    def stored(self, ids: Ids) -> dict[str, Row]:
        """Return memories of a timeline by id; those that are gone are left out."""
        return {row["id"]: row for row in self.read(STORED, ids=ids, now=now_ms())}

    def counts(self, id: str) -> Row:
        """Return how many rows the timeline has (`total`), and how many `memories` in force the session has.

        Raises:
            NotFound: no such session.
        """
        return self.one(COUNTS, id=id, now=now_ms())

    def digest(self, id: str) -> Row:
        """Return the summary made last: `digest`, `digest_count`, `digest_at` and `digest_method`, or all None.

        Raises:
            NotFound: no such session.
        """
        return self.one(DIGEST, id=id)

    def keep_digest(self, id: str, digest: Row) -> None:
        """Keep a summary that was made here, under the names that `digest` returns.

        Raises:
            NotFound: no such session.
        """
        # What is sealed is never equal to what is sealed anew: then it is compared here.
        given = {"id": id, "digest": digest, "same": self.seals and self.digest(id)["digest"] == digest["digest"]}
        self._only(self.telling(KEEP_DIGEST, each("session.updated", "summary"), now=now_ms(), **given))

    def told(self, id: str, limit: int, most: int) -> Rows:
        """Return `{content, importance}` of the last `limit` memories that anybody may see, newest first.

        Texts are cut to `most` characters.
        """
        rows = self.read(TOLD, id=id, limit=limit, most=most, now=now_ms())
        return [{**row, "content": row["content"][:most]} for row in rows]


def is_place(text: str) -> bool:
    """Tell whether a text can be the second part of a timeline's sort key."""
    rank, key = text[:1], text[1:]
    number = key.isascii() and key.isdigit() and len(key) == 19 and int(key) <= LAST_SEQ
    return number if rank == "1" else rank in ("0", "2", "3")


def _beyond(place: str) -> tuple[int, str]:
    """Return the seq and the decision id after which memories and decisions of the same moment follow `place`."""
    rank, key = place[:1], place[1:]
    if rank == "1":
        return int(key), ""
    if rank == "2":
        return LAST_SEQ, key
    return (LAST_SEQ, LAST_ID) if rank > "2" else (-1, "")
