"""The 65 routes of the MemoryRelay API by their numbers, and who calls them.

`CLIENTS` is what `docs/compatibility.md` prints; the tests of each client check that it calls just these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

INDEX = """
1 GET /v1/health
2 POST /v1/embed
3 GET /v1/quota
4 POST /v1/memories
5 GET /v1/memories
6 GET /v1/memories/{id}
7 PUT /v1/memories/{id}
8 DELETE /v1/memories/{id}
9 POST /v1/memories/search
10 POST /v1/memories/batch
11 POST /v1/memories/context
12 PUT /v1/memories/{id}/importance
13 POST /v1/memories/maintenance
14 POST /v1/memories/{id}/extract-entities
15 GET /v1/memories/{id}/extraction-status
16 POST /v1/memories/backfill-entities
17 POST /v1/agents
18 GET /v1/agents
19 GET /v1/agents/{id}
20 PUT /v1/agents/{id}
21 DELETE /v1/agents/{id}
22 GET /v1/agents/{id}/stats
23 POST /v1/entities
24 GET /v1/entities
25 GET /v1/entities/{id}
26 PUT /v1/entities/{id}
27 DELETE /v1/entities/{id}
28 POST /v1/entities/links
29 POST /v1/entities/{id}/link
30 GET /v1/entities/{id}/relationships
31 GET /v1/entities/{id}/neighborhood
32 POST /v1/sessions
33 POST /v1/sessions/get-or-create
34 GET /v1/sessions
35 GET /v1/sessions/{id}
36 PUT /v1/sessions/{id}/end
37 POST /v1/decisions
38 GET /v1/decisions
39 GET /v1/decisions/check
40 POST /v1/decisions/{id}/supersede
41 POST /v1/patterns
42 GET /v1/patterns/search
43 GET /v1/patterns/suggest
44 POST /v1/patterns/{id}/adopt
45 POST /v1/projects
46 GET /v1/projects
47 GET /v1/projects/{slug}
48 GET /v1/projects/{slug}/context
49 POST /v1/projects/{slug}/relationships
50 GET /v1/projects/{slug}/dependencies
51 GET /v1/projects/{slug}/dependents
52 GET /v1/projects/{slug}/related
53 POST /v1/projects/impact-analysis
54 GET /v1/projects/shared-patterns
55 POST /v1/keys
56 POST /v1/webhooks
57 GET /v1/webhooks
58 POST /v2/memories
59 GET /v2/memories/{id}/status
60 POST /v2/context/build
61 GET /v1/extraction/settings
62 POST /v1/extraction/keys
63 POST /v1/extraction/keys/{id}/activate
64 POST /v1/extraction/keys/deactivate-all
65 DELETE /v1/extraction/keys/{id}
"""


@dataclass(frozen=True)
class Route:
    """One line of the index. `path` has `{id}` or `{slug}` where a thing is named."""

    number: int
    verb: str
    path: str

    def __str__(self) -> str:
        return f"{self.number} {self.verb} {self.path}"

    @property
    def pattern(self) -> re.Pattern[str]:
        """What paths of this route look like."""
        return re.compile(re.sub(r"{\w+}", "[^/]+", self.path))

    def at(self, name: str) -> str:
        """The path of the thing of this name."""
        return self.path.replace("{id}", name).replace("{slug}", name)


def _read() -> dict[int, Route]:
    rows = (line.split() for line in INDEX.strip().splitlines())
    return {int(number): Route(int(number), verb, path) for number, verb, path in rows}


ROUTES = _read()
# Tried in this order: a path with a fixed word is that route, and not one that takes the word for a name.
_BY_FIXED_WORDS = sorted(ROUTES.values(), key=lambda route: route.path.count("{"))


def number_of(verb: str, path: str) -> int:
    """Return the number of the route that a request is for, 0 for none of the index. PATCH counts as PUT."""
    verb = "PUT" if verb == "PATCH" else verb
    path = "/" + path.partition("?")[0].lstrip("/")
    found = (r.number for r in _BY_FIXED_WORDS if r.verb == verb and r.pattern.fullmatch(path))
    return next(found, 0)


# Every public method of the Python clients, and the routes it asks. Those of 0.4.0 below `icm` ask none of the index.
PYTHON_04: dict[str, tuple[int, ...]] = {
    "memories.create": (4,),
    "memories.list": (5,),
    "memories.get": (6,),
    "memories.update": (7,),
    "memories.delete": (8,),
    "memories.search": (9,),
    "memories.batch_create": (10,),
    "memories.context": (11,),
    "memories.promote": (12,),
    "memories.maintenance": (13,),
    "memories.extract_entities": (14,),
    "memories.get_extraction_status": (15,),
    "memories.backfill_entities": (16,),
    "memories.create_async": (58,),
    "memories.get_status": (59,),
    "memories.wait_until_ready": (59, 6),
    "agents.create": (17,),
    "agents.list": (18,),
    "agents.get": (19,),
    "agents.update": (20,),
    "agents.delete": (21,),
    "entities.create": (23,),
    "entities.list": (24,),
    "entities.get": (25,),
    "entities.update": (26,),
    "entities.delete": (27,),
    "entities.link_to_memory": (28,),
    "entities.get_relationships": (30,),
    "entities.get_neighborhood": (31,),
    "extraction.get_settings": (61,),
    "extraction.create_key": (62,),
    "extraction.activate_key": (63,),
    "extraction.deactivate_all_keys": (64,),
    "extraction.delete_key": (65,),
}

PYTHON_03: dict[str, tuple[int, ...]] = {
    "health": (1,),
    "memories.create": (4,),
    "memories.list": (5,),
    "memories.get": (6,),
    "memories.update": (7,),
    "memories.delete": (8,),
    "memories.search": (9,),
    "memories.create_batch": (10,),
    "memories.create_async": (58,),
    "memories.get_status": (59,),
    "memories.wait_for_ready": (59, 6),
    "memories.create_and_wait": (58, 59, 6),
    "agents.create": (17,),
    "agents.list": (18,),
    "agents.get": (19,),
    "agents.update": (20,),
    "agents.delete": (21,),
    "entities.create": (23,),
    "entities.list": (24,),
    "entities.get": (25,),
    "entities.delete": (27,),
    "entities.link": (29,),
}

# The tools of the MCP server 0.4, and the routes each asks. `memory_forget` asks 9 only when it is given a query.
MCP: dict[str, tuple[int, ...]] = {
    "memory_store": (4,),
    "memory_search": (9,),
    "memory_recall": (9,),
    "memory_list": (5,),
    "memory_get": (6,),
    "memory_update": (7,),
    "memory_delete": (8,),
    "memory_forget": (9, 8),
    "memory_batch_store": (10,),
    "memory_context": (9,),
    "memory_promote": (12,),
    "memory_health": (1,),
    "memory_store_async": (58,),
    "memory_status": (59,),
    "context_build": (60,),
    "entity_create": (23,),
    "entity_link": (28,),
    "entity_list": (24,),
    "entity_graph": (31,),
    "agent_list": (18,),
    "agent_create": (17,),
    "agent_get": (19,),
    "session_start": (32,),
    "session_end": (36,),
    "session_recall": (35,),
    "session_list": (34,),
    "decision_record": (37,),
    "decision_list": (38,),
    "decision_supersede": (40,),
    "decision_check": (39,),
    "pattern_create": (41,),
    "pattern_search": (42,),
    "pattern_adopt": (44,),
    "pattern_suggest": (43,),
    "project_register": (45,),
    "project_list": (46,),
    "project_info": (47,),
    "project_context": (48,),
    "project_add_relationship": (49,),
    "project_dependencies": (50,),
    "project_dependents": (51,),
    "project_related": (52,),
    "project_impact": (53,),
    "project_shared_patterns": (54,),
}


def _union(methods: dict[str, tuple[int, ...]]) -> frozenset[int]:
    return frozenset(number for numbers in methods.values() for number in numbers)


NODE = frozenset({1, 4, 5, 6, 7, 8, 9, 10, 17, 18, 19, 22, 23, 24, 25})
PLUGIN = frozenset({1, 2, 3, *range(4, 13), 17, 18, 19, 22, 23, 24, 28, 31, *range(32, 37), *range(37, 55), 58, 59, 60})
CLIENTS: dict[str, frozenset[int]] = {
    "Python 0.3": _union(PYTHON_03),
    "Python 0.4": _union(PYTHON_04),
    "MCP server": _union(MCP),
    "Node": NODE,
    "OpenClaw plugin": PLUGIN,
}


def callers_of(number: int) -> list[str]:
    """Return the names of the clients that call a route."""
    return [name for name, numbers in CLIENTS.items() if number in numbers]
