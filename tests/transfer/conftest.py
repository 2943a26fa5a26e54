"""A tenant with something of everything in it, and files of what it holds."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from copy import copy as shallow
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask

from app.demo.load import Loader
from app.scopes import ALL_SCOPES
from app.services.transfer.export import Export
from app.services.transfer.form import Place, chained, line
from app.services.transfer.imports import Import, Report
from app.state import State
from app.workers.embed_pending import Worker
from app.workers.topics import find_topics
from graph.labels import LINKS, TRANSFERRED
from graph.tenants import Owner
from tests.callers import Caller, new_caller

# Everything of a tenant, with everything it says. `scope_tokens` follow from the tenant and are looked at by searches.
ALL_NODES = (
    "MATCH (n {tenant: $tenant}) WHERE labels(n)[0] IN $labels OR labels(n)[1] IN $labels RETURN n, labels(n) AS l"
)
ALL_LINKS = """
MATCH (a {tenant: $tenant})-[r]->(b {tenant: $tenant})
WHERE NOT a:Job AND NOT a:Event AND NOT a:Delivery
RETURN labels(a) AS a, coalesce(a.id, a.key) AS from, type(r) AS type, labels(b) AS b, b.id AS to,
  properties(r) AS props
"""
VECTORS = "MATCH (n:Searchable {tenant: $tenant}) RETURN n.id AS id, n.embedding AS vector"


@dataclass
class Story:
    """A client for the demo's loader."""

    caller: Caller

    def request(self, verb: str, path: str, json: Any) -> Any:
        """Send a request."""
        return Told(self.caller.call(verb, path, json))


@dataclass
class Told:
    """An answer as an HTTP client has it."""

    answer: Any

    @property
    def status_code(self) -> int:
        """The status."""
        return int(self.answer.status_code)

    def json(self) -> Any:
        """The body."""
        return self.answer.get_json()


@dataclass(frozen=True)
class Contents:
    """What a tenant holds, comparable."""

    nodes: dict[tuple[str, ...], dict[str, Any]]
    links: Counter[bytes]
    vectors: dict[str, list[float]]


def contents(parts: State, tenant: str) -> Contents:
    """Return everything of a tenant that is data."""
    rows = parts.graph.read(ALL_NODES, tenant=tenant, labels=list(TRANSFERRED))
    nodes = {}
    for row in rows:
        props = {name: value for name, value in row["n"].items() if name not in ("tenant", "scope_tokens")}
        nodes[(*sorted(row["l"]), props.get("id") or props["key"])] = props
    links = Counter(
        orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in parts.graph.read(ALL_LINKS, tenant=tenant)
    )
    vectors = {row["id"]: row["vector"] for row in parts.graph.read(VECTORS, tenant=tenant)}
    return Contents(nodes, links, vectors)


def same(one: Contents, other: Contents) -> None:
    """Assert that two tenants hold the same, saying what differs."""
    assert one.nodes.keys() == other.nodes.keys()
    assert {key: (props, other.nodes[key]) for key, props in one.nodes.items() if props != other.nodes[key]} == {}
    assert (one.links - other.links, other.links - one.links) == (Counter(), Counter())
    assert one.vectors == other.vectors


def exported(parts: State, tenant: str, *, vectors: bool = True, place: Place | None = None) -> bytes:
    """Return a tenant's export, or what comes after a place of it."""
    export = Export(parts.graph, Owner(tenant), parts.space, vectors=vectors)
    header = export.header("here") if place is None else None
    return b"".join(stretch.lines for stretch in export.stretches(header, place))


def imported(parts: State, tenant: str, file: bytes, **options: Any) -> Report:
    """Import a file into a tenant."""
    return Import(parts, Owner(tenant), io.BytesIO(file), **options).run()


def sealed(lines: list[dict[str, Any]], header: dict[str, Any]) -> bytes:
    """Return a whole file of these lines: what somebody who knows the format would write."""
    first = line(header)
    digest = chained("", first)
    place = Place("", label="Memory")
    body = b"".join(map(line, lines))
    last = chained(digest, body)
    marks = [line({"mark": replace(place, digest=each).stored()}) for each in (digest, last)]
    return first + marks[0] + body + marks[1] + line({"end": {"sha256": last}})


@dataclass
class Files:
    """Makes files for tests of what is refused."""

    parts: State
    caller: Caller
    header: dict[str, Any] = field(init=False)
    lines: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        told = [orjson.loads(text) for text in exported(self.parts, self.caller.tenant).splitlines()]
        self.header = told[0]
        self.lines = [each for each in told[1:] if "mark" not in each and "end" not in each]

    def first(self, label: str) -> dict[str, Any]:
        """Return the first line of a label, to be changed."""
        return next(each for each in self.lines if each.get("node") == label)

    def whole(self) -> bytes:
        """Return the file."""
        return sealed(self.lines, self.header)


@pytest.fixture(scope="session")
def little(app: Flask, parts: State) -> Files:
    """The file of a tenant with two memories in a session."""
    caller = new_caller(app, parts, ALL_SCOPES, None)
    session = caller.post("/v1/sessions", {"external_id": "s", "agent_id": "iris"}).get_json()["id"]
    for text in ("Ada Lovelace keeps the ferry log", "Grace Hopper reads the ferry log"):
        caller.remember(text, session_id=session, project="ferry")
    return Files(parts, caller)


@pytest.fixture
def small(little: Files) -> Files:
    """A copy of that file, to be spoilt."""
    made = shallow(little)
    made.header, made.lines = deepcopy(little.header), deepcopy(little.lines)
    return made


@pytest.fixture(scope="session")
def full(app: Flask, parts: State) -> Caller:
    """A caller whose tenant holds every kind of node and relationship; tests read it and change copies."""
    made = new_caller(app, parts, ALL_SCOPES, None)
    fill(made, parts)
    held = contents(parts, made.tenant)
    assert {next(label for label in key[:-1] if label != "Searchable") for key in held.nodes} == set(TRANSFERRED)
    assert {orjson.loads(each)["type"] for each in held.links} == {link.type for link in LINKS}
    return made


@pytest.fixture
def copy(full: Caller, make_caller: Callable[[], Caller], parts: State) -> Caller:
    """A caller of a tenant that holds the same."""
    made = make_caller()
    imported(parts, made.tenant, exported(parts, full.tenant))
    return made


def fill(caller: Caller, parts: State) -> None:
    """Make something of everything, through the API."""
    loader = Loader(Story(caller), lambda text: None)  # type: ignore[arg-type]
    loader.load()
    words = " ".join(f"word{n}" for n in range(300))
    long = caller.remember(f"The diary of Ada Lovelace: {words} lighthouse")
    other = caller.remember("Grace Hopper found the moth", derived_from=[long["id"]], visibility="confidential")
    caller.remember("Grace Hopper found a moth in relay 70", supersedes=other["id"], user_id="u-1", ttl_seconds=86_400)
    edited = caller.remember("Ada Lovelace likes tea", metadata={"deep": {"list": [1, 2.5, None, "ü"]}})
    caller.put(f"/v1/memories/{edited['id']}", {"content": "Ada Lovelace likes coffee", "importance": 0.9})
    ada, grace = (caller.post("/v1/entities", made).get_json()["id"] for made in (
        {"name": "Ada Lovelace", "entity_type": "person", "agent_id": "iris", "metadata": {"born": 1815}},
        {"name": "Grace Hopper", "entity_type": "person", "agent_id": "iris"},
    ))  # fmt: skip
    caller.post(f"/v1/entities/{ada}/aliases", {"alias": "Countess of Lovelace"})
    for type in ("knows", "admires"):
        stated = {"target_id": grace, "relationship_type": type, "weight": 0.25}
        made = caller.post(f"/v1/entities/{ada}/relationships", stated)
        assert made.status_code in (200, 201), made.get_json()
    assert caller.delete(f"/v1/entities/{ada}/relationships/{made.get_json()['id']}").status_code in (200, 204)
    session = caller.get("/v1/sessions").get_json()["data"][0]["id"]
    told = {"title": "Log every tide", "rationale": "Grace Hopper asked", "session_id": session, "agent_id": "iris"}
    assert caller.post("/v1/decisions", told).status_code == 201
    accepted = {"content": "Accepted and soon found", "agent_id": "iris"}
    id = caller.post("/v2/memories", accepted).get_json()["id"]
    while caller.get(f"/v1/memories/{id}").get_json()["extraction_status"] != "ready":
        Worker()(parts)
    find_topics(parts.graph, caller.tenant)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write a file."""

    def make(data: bytes) -> Path:
        path = tmp_path / "export.jsonl"
        path.write_bytes(data)
        return path

    return make
