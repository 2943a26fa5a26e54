"""How to make every list long: one row more, many rows at a time where a route takes many, and one row less.

A new list is covered by one entry in `LONG`; the test beside it fails while there is none. Rows are told apart by
`row["id"]`, or by what `key` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.contract.examples import World
from tests.contract.examples.transfer import sent

Row = dict[str, Any]
BATCH = 100
# More than two of the largest pages, and more than one where a row takes long to make.
MANY, SOME = 205, 105


@dataclass(frozen=True)
class Long:
    """`make` adds a row; `fill` adds many at once; `remove` takes one away that the list showed."""

    make: Callable[[World], Any]
    remove: Callable[[World, Row], Any] | None = None
    fill: Callable[[World, int], Any] | None = None
    key: Callable[[Row], str] = lambda row: str(row["id"])
    rows: int = MANY


def batch(world: World, count: int, fields: Callable[[], Row] = dict) -> list[str]:
    """Store so many memories, and return their ids."""
    ids: list[str] = []
    for first in range(0, count, BATCH):
        items = [
            {"content": f"Note {n}", "agent_id": "iris", "auto_extract_entities": False, **fields()}
            for n in range(first, min(first + BATCH, count))
        ]
        found = world.create("/v1/memories/batch", memories=items)
        assert found["failed"] == 0
        ids += [result["id"] for result in found["results"]]
    return ids


def in_session(world: World) -> Row:
    return {"session_id": world.id("session_id")}


def delete(path: str, field: str = "id") -> Callable[[World, Row], None]:
    """Return what deletes a row at its own path."""

    def remove(world: World, row: Row) -> None:
        assert world.caller.delete(f"{path}/{row[field]}").status_code == 204

    return remove


def edit_memory(world: World) -> None:
    body = {"content": f"Now {world.fresh()}"}
    assert world.caller.put(f"/v1/memories/{world.id('memory_id')}", body).status_code == 200


def mention(world: World, memory_ids: list[str]) -> None:
    for id in memory_ids:
        world.create(f"/v1/entities/{world.id('entity_id')}/link", memory_id=id)


def decision(world: World) -> str:
    return str(world.create("/v1/decisions", title=world.fresh("decide"), rationale="because")["id"])


def hub(world: World, part: str) -> str:
    return f"/v1/decisions/{world.id('decision_id')}/{part}"


def rest_on(world: World, memory_ids: list[str]) -> None:
    for first in range(0, len(memory_ids), BATCH):
        world.create(hub(world, "memories"), memory_ids=memory_ids[first : first + BATCH])


def lean_on(world: World, row: Row) -> None:
    body = {"decision_id": world.id("decision_id")}
    assert world.caller.delete(f"/v1/decisions/{row['id']}/dependencies", json=body).status_code == 204


def unlink(part: str, field: str) -> Callable[[World, Row], None]:
    """Return what takes a row from the decision that it is linked to."""

    def remove(world: World, row: Row) -> None:
        assert world.caller.delete(hub(world, part), json={field: row["id"]}).status_code == 204

    return remove


def adopt(world: World) -> None:
    slug = world.fresh("adopter")
    batch(world, 1, lambda: {"project": slug})
    world.create(f"/v1/patterns/{world.id('pattern_id')}/adopt", project=slug)


def abandon(world: World, row: Row) -> None:
    body = {"project": row["slug"]}
    assert world.caller.delete(f"/v1/patterns/{world.id('pattern_id')}/adopt", json=body).status_code == 204


def relate(world: World) -> None:
    body = {"target_project": world.id("known_slug"), "relationship_type": world.fresh("kind")}
    world.create(f"/v1/projects/{world.id('slug')}/relationships", **body)


def unrelate(world: World, row: Row) -> None:
    path = f"/v1/projects/{world.id('slug')}/relationships/{row['id']}"
    assert world.caller.delete(path).status_code == 204


def noted(world: World) -> None:
    """Write something, and let what the ledger noted be stored."""
    world.create("/v1/agents", name=world.fresh("iris"))
    parts = world.caller.app.extensions["loci"]
    parts.ledger.flush(parts.graph)


def moment(row: Row) -> str:
    about = row.get("memory") or row.get("decision") or {"id": row["at"]}
    return f"{row['kind']} {about['id']}"


LONG: dict[str, Long] = {
    "GET /v1/memories": Long(lambda w: batch(w, 1), delete("/v1/memories"), batch),
    "GET /v1/memories/changes": Long(lambda w: batch(w, 1), fill=batch),
    "GET /v1/memories/{memory_id}/versions": Long(edit_memory, rows=SOME),
    "GET /v2/jobs": Long(lambda w: w.create("/v2/memories", content=w.fresh("note"), agent_id="iris")),
    "GET /v1/agents": Long(
        lambda w: w.create("/v1/agents", name=w.fresh("iris")),
        delete("/v1/agents"),
        lambda w, count: batch(w, count, lambda: {"agent_id": w.fresh("iris")}),
    ),
    "GET /v1/entities": Long(
        lambda w: w.create("/v1/entities", name=w.fresh("thing"), entity_type="concept"), delete("/v1/entities")
    ),
    "GET /v1/entities/{entity_id}/memories": Long(
        lambda w: mention(w, batch(w, 1)), delete("/v1/memories"), lambda w, count: mention(w, batch(w, count))
    ),
    "GET /v1/sessions": Long(lambda w: w.create("/v1/sessions", title=w.fresh("story")), delete("/v1/sessions")),
    "GET /v1/sessions/{session_id}/memories": Long(
        lambda w: batch(w, 1, lambda: in_session(w)),
        delete("/v1/memories"),
        lambda w, count: batch(w, count, lambda: in_session(w)),
    ),
    "GET /v1/sessions/{session_id}/timeline": Long(
        lambda w: w.create("/v1/decisions", title="x", rationale="y", **in_session(w)),
        fill=lambda w, count: batch(w, count, lambda: in_session(w)),
        key=moment,
    ),
    "GET /v1/decisions": Long(decision, delete("/v1/decisions")),
    "GET /v1/decisions/{decision_id}/memories": Long(
        lambda w: rest_on(w, batch(w, 1)),
        unlink("memories", "memory_id"),
        lambda w, count: rest_on(w, batch(w, count)),
    ),
    "GET /v1/decisions/{decision_id}/dependencies": Long(
        lambda w: w.create(hub(w, "dependencies"), decision_id=decision(w)),
        unlink("dependencies", "decision_id"),
        lambda w, count: w.create(hub(w, "dependencies"), decision_ids=[decision(w) for _ in range(count)]),
        rows=BATCH,
    ),
    "GET /v1/decisions/{decision_id}/dependents": Long(
        lambda w: w.create(f"/v1/decisions/{decision(w)}/dependencies", decision_id=w.id("decision_id")),
        lean_on,
        rows=SOME,
    ),
    "GET /v1/patterns": Long(
        lambda w: w.create("/v1/patterns", title=w.fresh("habit"), description="x"), delete("/v1/patterns")
    ),
    "GET /v1/patterns/{pattern_id}/adopters": Long(adopt, abandon, rows=SOME),
    "GET /v1/projects": Long(
        lambda w: w.create("/v1/projects", name="x", slug=w.fresh("billing")),
        delete("/v1/projects", "slug"),
        lambda w, count: batch(w, count, lambda: {"project": w.fresh("billing")}),
    ),
    "GET /v1/projects/{slug}/relationships": Long(relate, unrelate),
    "GET /v1/keys": Long(lambda w: w.create("/v1/keys", name="ci")),
    "GET /v1/keys/namespaces": Long(lambda w: w.create("/v1/keys", namespace=w.fresh("team"))),
    "GET /v1/webhooks": Long(
        lambda w: w.create("/v1/webhooks", url=f"https://hooks.example.com/{w.fresh()}"), delete("/v1/webhooks")
    ),
    "GET /v1/webhooks/{webhook_id}/deliveries": Long(
        lambda w: w.create(f"/v1/webhooks/{w.id('webhook_id')}/test"),
    ),
    "GET /v1/audit": Long(noted),
    "GET /v1/erasures": Long(lambda w: w.create("/v1/erasures", user_id=w.fresh("user"), dry_run=False), rows=SOME),
    "GET /v1/transfer/imports": Long(sent, rows=SOME),
}
