"""The entities around one, and the shortest way between two. Every step is bounded, whatever the size of the graph."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from app.answers import shown
from app.auth import Principal
from app.state import State
from graph.entities import EntityRepository
from graph.entity_moments import PastNeighbourhoodRepository, PastRelationRepository
from graph.entity_relations import CO_MENTIONED, EntityRelationRepository
from graph.errors import NotFound
from graph.neighbourhood import NeighbourhoodRepository
from graph.records import Row

# Memories read on one level of a neighbourhood, divided among its entities; likewise on one step of a path.
LEVEL_MEMORIES, FEWEST_MEMORIES, MOST_MEMORIES = 2_000, 5, 300
STEP_MEMORIES, MOST_FRONTIER = 10_000, 1_000
MOST_STATED, MOST_FARTHER = 100, 30
MOST_EVIDENCE = 1_000


@dataclass
class Found:
    """A neighbourhood as it grows: neighbours in order, and each edge once."""

    centre: str
    neighbours: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)
    is_cut: bool = False


def neighbourhood(
    parts: State, caller: Principal, id: str, depth: int, most: int, as_of: int | None = None
) -> dict[str, Any]:
    """Return the entities within `depth` steps of one, at most `most`, nearest and strongest first.

    With `as_of` (epoch ms) the ties are those of that moment.

    A hub costs no more than a leaf: of each entity a bounded number of memories is looked at, and weights of shared
    memories count within those.

    Raises:
        NotFound: no such entity.
    """
    entity, around = known(parts, caller, id, as_of), _around(parts, caller, as_of)
    found, frontier = Found(id), [id]
    for level in range(1, depth + 1):
        if not frontier or len(found.neighbours) >= most:
            break
        memories = min(MOST_MEMORIES, max(FEWEST_MEMORIES, LEVEL_MEMORIES // len(frontier)))
        rows = around.around(frontier, memories, MOST_STATED if level == 1 else MOST_FARTHER)
        frontier = _grow(found, rows, level, most)
        _join(found, rows)
    if found.neighbours:
        _join_stated(found, around.stated_among(list(found.neighbours), MOST_STATED))
    centre = _brief(entity)
    return {
        "entity": centre,
        "center": centre,
        "neighbors": list(found.neighbours.values()),
        "relationships": list(found.edges.values()),
        "total_neighbors": len(found.neighbours),
        "truncated": found.is_cut,
    }


def known(parts: State, caller: Principal, id: str, as_of: int | None) -> Row:
    """Return an entity that was known at a moment; at None, that is known.

    Raises:
        NotFound: no such entity, or none then.
    """
    return known_then(EntityRepository(parts.graph, caller).get(id), as_of)


def known_then(entity: Row, as_of: int | None) -> Row:
    """Return an entity's row if it was known at a moment; at None, it is.

    Raises:
        NotFound: it was not there then.
    """
    if as_of is not None and entity["created_at"] > as_of:
        raise NotFound("Entity")
    return entity


def _around(parts: State, caller: Principal, as_of: int | None) -> NeighbourhoodRepository:
    if as_of is None:
        return NeighbourhoodRepository(parts.graph, caller)
    return PastNeighbourhoodRepository(parts.graph, caller, as_of)


def _grow(found: Found, rows: list[Row], level: int, most: int) -> list[str]:
    new: list[str] = []
    # What somebody stated outranks what only stands side by side.
    for row in sorted(rows, key=lambda row: (row["type"] is None, -row["weight"], row["name"], row["id"])):
        if row["id"] == found.centre or row["id"] in found.neighbours:
            continue
        if len(found.neighbours) >= most:
            found.is_cut = True
            break
        relationship = row["type"] or CO_MENTIONED
        found.neighbours[row["id"]] = {
            **_brief(row), "relationship": relationship, "depth": level, "weight": row["weight"]
        }  # fmt: skip
        new.append(row["id"])
    return new


def _join(found: Found, rows: Iterable[Row]) -> None:
    shown = {found.centre, *found.neighbours}
    for row in rows:
        if row["id"] not in shown:
            continue
        source, target = (row["from"], row["id"]) if row["outgoing"] else (row["id"], row["from"])
        if row["relation"]:
            _edge(found, (row["relation"],), source, target, row["type"], row["weight"])
        else:
            _edge(found, (min(source, target), max(source, target)), source, target, CO_MENTIONED, row["weight"])


def _join_stated(found: Found, rows: Iterable[Row]) -> None:
    for row in rows:
        _edge(found, (row["relation"],), row["source"], row["target"], row["type"], row["weight"])


def _edge(found: Found, key: tuple[str, ...], source: str, target: str, type: str, weight: float) -> None:
    made = {"source_entity_id": source, "target_entity_id": target, "relationship_type": type, "weight": weight}
    found.edges.setdefault(key, made)


def _brief(row: Row) -> dict[str, Any]:
    return {"id": row["id"], "name": row["name"], "type": row["entity_type"], "entity_type": row["entity_type"]}


@dataclass
class Side:
    """One end of a search: the step each entity was reached by, and those reached last."""

    start: str
    parents: dict[str, str | None]
    depths: dict[str, int]
    frontier: list[str]


def shortest_path(
    parts: State, caller: Principal, source: Row, target: Row, longest: int, as_of: int | None = None
) -> dict[str, Any]:
    """Return the shortest way from one entity to another over at most `longest` steps, with what justifies each step.

    `source` and `target` are rows of the entity repository. A step is a stated relation or a shared memory. Both ends
    grow towards each other, the smaller one first; through very large hubs only a part of the ways is looked at. With
    `as_of` (epoch ms) the steps are those of that moment.

    Raises:
        NotFound: one of the two was not there then.
    """
    for end in (source, target):
        known_then(end, as_of)
    around = _around(parts, caller, as_of)
    ids = _search(around, source, target, longest)
    entities = {row["id"]: row for row in EntityRepository(parts.graph, caller).get_many(ids)}
    whole = len(entities) == len(set(ids)) and bool(ids)
    ids = ids if whole else []
    steps = around.justify(list(pairwise(ids)), MOST_EVIDENCE)
    return {
        "found": whole,
        "length": len(ids) - 1 if whole else None,
        "source": _brief(source),
        "target": _brief(target),
        "entities": [_brief(entities[id]) for id in ids],
        "steps": [
            {
                "source_entity_id": step["source"],
                "target_entity_id": step["target"],
                "relationships": step["relationships"],
                "shared_memories": step["shared"],
                "memories": step["memories"],
            }
            for step in steps
        ],
    }


def _search(around: NeighbourhoodRepository, source: Row, target: Row, longest: int) -> list[str]:
    if source["id"] == target["id"]:
        return [source["id"]]
    here, there = (Side(row["id"], {row["id"]: None}, {row["id"]: 0}, [row["id"]]) for row in (source, target))
    smaller_first = source["memory_count"] <= target["memory_count"]
    for turn in range(longest):
        if not here.frontier or not there.frontier:
            break
        forward = smaller_first if turn == 0 else len(here.frontier) <= len(there.frontier)
        side, other = (here, there) if forward else (there, here)
        met = _advance(around, side, other)
        if met is not None:
            return [*reversed(_trail(here, met)), *_trail(there, met)[1:]]
    return []


def _advance(around: NeighbourhoodRepository, side: Side, other: Side) -> str | None:
    level = side.depths[side.frontier[0]] + 1
    memories = max(FEWEST_MEMORIES, STEP_MEMORIES // len(side.frontier))
    reached = around.step(side.frontier, memories, other.start)
    new: list[str] = []
    for id in side.frontier:
        for next_id in reached.get(id, []):
            if next_id not in side.parents:
                side.parents[next_id] = id
                side.depths[next_id] = level
                new.append(next_id)
    meetings = [id for id in new if id in other.parents]
    side.frontier = new[:MOST_FRONTIER]
    return min(meetings, key=lambda id: (other.depths[id], id)) if meetings else None


def _trail(side: Side, id: str) -> list[str]:
    trail, at = [], id if id in side.parents else None
    while at is not None:
        trail.append(at)
        at = side.parents[at]
    return trail


def relations(
    parts: State, caller: Principal, id: str, source: str, limit: int, offset: int, as_of: int | None = None
) -> dict[str, Any]:
    """Return an entity's relations, the stated ones before those that shared memories imply.

    `source` is `stated`, `co_mention` or `all`. With `as_of` (epoch ms) they are those of that moment.

    Raises:
        NotFound: no such entity.
    """
    known(parts, caller, id, as_of)
    repository = EntityRelationRepository(parts.graph, caller)
    if as_of is not None:
        repository = PastRelationRepository(parts.graph, caller, as_of)
    stated = repository.count(id) if source != "co_mention" else 0
    rows = [{**shown(row), "source": "stated"} for row in repository.stated(id, offset, limit)] if stated else []
    implied = repository.shared(id, MOST_MEMORIES, MOST_STATED) if source != "stated" else []
    first = max(0, offset - stated)
    for row in implied[first : first + limit - len(rows)]:
        made = {**row, "id": None, "metadata": {}, "relationship_type": CO_MENTIONED, "source": "co_mention"}
        rows.append(made)
    return {"data": rows, "total": stated + len(implied)}
