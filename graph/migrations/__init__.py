"""Brings a database to the schema this version needs; safe to run from several processes at once.

Numbered `.cypher` files beside this module hold schema statements, one a statement; each file is recorded on the
version node once it ran. The indexes that depend on the embedder and the analyzer are made by `ensure_space`.
"""

import time
import uuid
from dataclasses import dataclass
from importlib import resources

from neo4j.exceptions import ClientError, TransientError

from graph import labels
from graph.clock import now_ms
from graph.driver import Graph
from graph.errors import Unavailable, Unsupported

VERSION_CONSTRAINT = (
    "CYPHER 25 CREATE CONSTRAINT schema_version_name IF NOT EXISTS FOR (v:SchemaVersion) REQUIRE v.name IS UNIQUE"
)
READ_VERSION = """
CYPHER 25
MERGE (v:SchemaVersion {name: 'loci'})
RETURN coalesce(v.version, 0) AS version, coalesce(v.applied, range(1, coalesce(v.version, 0))) AS applied
"""
SET_VERSION = """
CYPHER 25
MATCH (v:SchemaVersion {name: 'loci'})
SET v.version = $version, v.applied = $applied, v.migrated_at = $now
"""
TAKE_LOCK = """
CYPHER 25
MERGE (v:SchemaVersion {name: 'loci'})
SET v.touched_at = $now
WITH v WHERE v.lock_holder IS NULL OR v.lock_until < $now OR v.lock_holder = $holder
SET v.lock_holder = $holder, v.lock_until = $until
RETURN true AS taken
"""
DROP_LOCK = """
CYPHER 25
MATCH (v:SchemaVersion {name: 'loci', lock_holder: $holder}) REMOVE v.lock_holder, v.lock_until
"""
READ_SPACE = """
CYPHER 25
OPTIONAL MATCH (s:SchemaVersion {name: 'embedding'})
RETURN s.identity AS identity, s.dimensions AS dimensions, s.slot AS slot, s.analyzer AS analyzer,
  coalesce(s.model, '') AS model, coalesce(s.former, []) AS former
"""
WRITE_SPACE = """
CYPHER 25
MERGE (s:SchemaVersion {name: 'embedding'})
ON CREATE SET s.identity = $identity, s.dimensions = $dimensions, s.slot = 'a', s.analyzer = $analyzer
"""
INDEX_STATES = "CYPHER 25 SHOW INDEXES YIELD name, state, populationPercent RETURN name, state, populationPercent"

LOCK_MS = 120_000
INDEX_SECONDS = 300.0


@dataclass(frozen=True)
class Space:
    """The vectors in force: the embedder's identity, their length, their slot, and the text analyzer beside them.

    `model` is empty while they are those of the settings; once `loci reembed` changed them, it says how the embedder
    is built (`app.embeddings.spec`), and `former` are the identities that were in force before.
    """

    identity: str
    dimensions: int
    slot: str
    analyzer: str
    model: str = ""
    former: tuple[str, ...] = ()


def known_versions() -> dict[int, list[str]]:
    """Return the statements of every migration file by its number, in order."""
    found = {}
    for entry in sorted(resources.files(__package__).iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".cypher"):
            statements = [part.strip() for part in entry.read_text("utf-8").split(";")]
            found[int(entry.name[:3])] = [part for part in statements if part]
    return found


def migrate(graph: Graph, wait: float = 120.0) -> int:
    """Run what is missing and return the version reached.

    Raises:
        Unavailable: another process held the migration lock for longer than `wait` seconds.
        Unsupported: the database was migrated by a newer Loci.
    """
    holder = uuid.uuid4().hex
    _schema(graph, VERSION_CONSTRAINT)
    versions = known_versions()
    _lock(graph, holder, wait)
    try:
        found = graph.write(READ_VERSION)[0]
        reached, applied = found["version"], set(found["applied"])
        if reached > max(versions):
            raise Unsupported(
                f"The database has schema {reached}, newer than the {max(versions)} this Loci knows.",
                "Start the newer Loci, or restore a backup made before the upgrade.",
            )
        for number, statements in versions.items():
            # Not "above the version reached": a file with a lower number may arrive later, from another branch.
            if number not in applied:
                for statement in statements:
                    _schema(graph, statement)
                applied.add(number)
                graph.write(SET_VERSION, version=max(applied), applied=sorted(applied), now=now_ms())
        return max(versions)
    finally:
        graph.write(DROP_LOCK, holder=holder)


def current_space(graph: Graph) -> Space | None:
    """Return the vectors in force, or None in a database that has none yet."""
    row = graph.read(READ_SPACE)[0]
    # Read until nothing changes: in the middle of a commit, a part of what is read may be old and a part new.
    while (again := graph.read(READ_SPACE)[0]) != row:
        row = again
    return Space(**{**row, "former": tuple(row["former"])}) if row["identity"] else None


def ensure_space(graph: Graph, identity: str, dimensions: int, analyzer: str) -> Space:
    """Record the embedder on first start and make its indexes; afterwards insist on the same one.

    Raises:
        Unsupported: the database holds vectors of another model, or its text index has another analyzer.
    """
    graph.write(WRITE_SPACE, identity=identity, dimensions=dimensions, analyzer=analyzer)
    space = current_space(graph)
    assert space is not None  # noqa: S101 - written above, and nothing takes it away
    if space.identity != identity:
        raise Unsupported(
            f"The database holds vectors of {space.identity}, but this server is set to {identity}.",
            "Set LOCI_EMBEDDER and LOCI_EMBEDDING_MODEL back, and change the model with `loci reembed`.",
        )
    if space.dimensions != dimensions:
        raise Unsupported(
            f"The database holds vectors of {space.dimensions} numbers, but the model answers {dimensions} now.",
            "Set the model back to what it was, and change it with `loci reembed`.",
        )
    if space.analyzer != analyzer:
        raise Unsupported(
            f"The database indexes text with the analyzer {space.analyzer}, but LOCI_ANALYZER is {analyzer}.",
            "Set LOCI_ANALYZER back, or start with an empty database.",
        )
    _schema(graph, labels.text_index(space.analyzer))
    make_vector_index(graph, space.slot, space.dimensions)
    return space


def make_vector_index(graph: Graph, slot: str, dimensions: int) -> None:
    """Make the vector index of a slot where it is missing, and wait until all indexes serve.

    Raises:
        Unavailable, Unsupported: one does not come up.
    """
    _schema(graph, labels.vector_index(slot, dimensions))
    _await_indexes(graph)


def drop_vector_index(graph: Graph, slot: str) -> None:
    """Drop the vector index of a slot."""
    _schema(graph, labels.drop_vector_index(slot))


def index_states(graph: Graph) -> dict[str, str]:
    """Return the state (ONLINE, POPULATING, FAILED) of every index by name."""
    return {row["name"]: row["state"] for row in graph.read(INDEX_STATES)}


def _await_indexes(graph: Graph) -> None:
    """Wait until every index is online; asked again and again, because one long call would meet its time-out.

    Raises:
        Unavailable: they are still being built after five minutes.
        Unsupported: one cannot be built.
    """
    deadline = time.monotonic() + INDEX_SECONDS
    while states := {name: state for name, state in index_states(graph).items() if state != "ONLINE"}:
        if failed := sorted(name for name, state in states.items() if state == "FAILED"):
            raise Unsupported(f"The index {failed[0]} cannot be built.", "See the database's log, then drop the index.")
        if time.monotonic() > deadline:
            raise Unavailable(f"The index {min(states)} is still being built", retry_after=30)
        time.sleep(0.1)


def _lock(graph: Graph, holder: str, wait: float) -> None:
    deadline = time.monotonic() + wait
    while not graph.write(TAKE_LOCK, holder=holder, now=now_ms(), until=now_ms() + LOCK_MS):
        if time.monotonic() > deadline:
            raise Unavailable("Another process is migrating the database and does not finish", retry_after=30)
        time.sleep(0.2)


def _schema(graph: Graph, statement: str, attempts: int = 20) -> None:
    """Run one schema statement; two processes that create the same thing at once meet, so ask again."""
    for attempt in range(attempts):
        try:
            graph.write(statement)
            return
        except (Unavailable, TransientError, ClientError) as error:
            already = "EquivalentSchemaRuleAlreadyExists" in str(getattr(error, "code", ""))
            if already:
                return
            if attempt == attempts - 1 or not isinstance(error, (Unavailable, TransientError)):
                raise
            time.sleep(0.1 * (attempt + 1))
