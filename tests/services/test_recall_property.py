"""Whatever the filter: a search finds what looking at every memory would find."""

import dataclasses
import random
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.clock import now_ms
from app.services.archive import set_archived
from app.services.words import WordCounts
from app.state import State
from graph.memories import MemoryRepository
from tests.notebook import Notebook, notebook_of

Row: TypeAlias = dict[str, Any]

WORDS = "sugar milk lemon kettle cup saucer spoon cake rain garden train bread".split()
NAMES = ("Ada Lovelace", "Grace Hopper", "Blue Harbour", "Trondheim")
AGENTS, USERS, PROJECTS = ("iris", "juno"), ("u1", "u2"), ("kettle", "garden")
KINDS, TIERS = ("fact", "event", "task"), ("hot", "warm", "cold")
START = datetime(2023, 1, 1, tzinfo=UTC)
SIZE = 60
FURTHER = " ".join(f"day{number}" for number in range(250))


@dataclasses.dataclass(frozen=True)
class World:
    """Memories of one tenant, with what was said of each when it was stored and what it is known by since."""

    notes: Notebook
    sessions: list[str]
    memories: dict[str, Row]

    def moment(self, place: int) -> str:
        """Return when the memory in a place was stored, as clients write it."""
        return told(sorted(each["created_at"] for each in self.memories.values())[place]).isoformat()


@pytest.fixture(scope="module")
def world(parts: State) -> World:
    """Sixty memories that all speak of tea, beside those of another tenant."""
    shared = dataclasses.replace(parts, words=WordCounts())
    notes, other = notebook_of(shared), notebook_of(shared)
    pick = random.Random(7)
    sessions = [notes.session(), notes.session()]
    gone = notes.store("tea that nobody drinks any more", expires_at=(now_ms() + 300) / 1000)
    memories: dict[str, Row] = {}
    for at in range(SIZE):
        fields: Row = {
            "agent_id": pick.choice(AGENTS),
            "user_id": pick.choice([*USERS, None]),
            "session_id": pick.choice([*sessions, None]),
            "project": pick.choice([*PROJECTS, None]),
            "memory_type": pick.choice(KINDS),
            "importance": pick.choice([0.1, 0.4, 0.5, 0.9]),
            "visibility": pick.choice(["private", "private", "confidential"]),
            "occurred_at": pick.choice([None, (START + timedelta(days=pick.randrange(30))).isoformat()]),
            "metadata": {
                name: value
                for name, value in {
                    "n": pick.choice([1, 2, 2.5, None]),
                    "s": pick.choice(["x", "y", None]),
                    "b": pick.choice([True, False, None]),
                }.items()
                if value is not None
            },
        }
        text = f"tea {' '.join(pick.choices(WORDS, k=5))} with {pick.choice(NAMES)} {at}"
        [id] = notes.store(text + (f" {FURTHER} {pick.choice(NAMES)}" if at % 20 == 0 else ""), **fields)
        memories[id] = {**fields, "archived": pick.random() < 0.25}
        if memories[id]["archived"]:
            set_archived(shared, notes.caller, id, True)
    other.store(*(f"tea {name} {word}" for name in NAMES for word in WORDS), session_id=other.session())
    for id, row in MemoryRepository(shared.graph, notes.caller).get_many(list(memories)).items():
        memories[id] |= {"created_at": row["created_at"], "tier": row["tier"]}
    assert not set(gone) & set(memories)
    return World(notes, sessions, memories)


def conditions_on(name: str, values: list[Any]) -> st.SearchStrategy[Row]:
    """Return conditions on one metadata key."""
    value = st.sampled_from(values)
    compare = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
    return st.one_of(
        value.map(lambda one: {name: one}),
        st.dictionaries(compare, value, min_size=1, max_size=2).map(lambda test: {name: test}),
        st.lists(value, max_size=3).map(lambda several: {name: {"$in": several}}),
        st.booleans().map(lambda there: {name: {"$exists": there}}),
    )


METADATA = st.recursive(
    st.one_of(
        conditions_on("n", [0, 1, 2.0, 2.5, "x"]),
        conditions_on("s", ["x", "y", 1]),
        conditions_on("b", [True, False, 1]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda several: {"$and": several}),
        st.lists(inner, min_size=1, max_size=3).map(lambda several: {"$or": several}),
        inner.map(lambda one: {"$not": one}),
    ),
    max_leaves=4,
)
DAY = st.integers(0, 30).map(lambda day: (START + timedelta(days=day)).isoformat())
PLACE = st.integers(0, SIZE - 1)
CONDITIONS: dict[str, st.SearchStrategy[Any]] = {
    "agent_id": st.sampled_from([*AGENTS, "nobody"]),
    "user_id": st.sampled_from([*USERS, "u3"]),
    "session_id": st.integers(0, 1),
    "project": st.sampled_from([*PROJECTS, "nowhere"]),
    "memory_type": st.sampled_from(KINDS),
    "tier": st.sampled_from(TIERS),
    "min_importance": st.sampled_from([0.0, 0.4, 0.45, 0.9, 1.0]),
    "visibility": st.sampled_from(["private", "confidential"]),
    "include_confidential": st.booleans(),
    "include_archived": st.booleans(),
    "archived_only": st.booleans(),
    "created_after": PLACE,
    "created_before": PLACE,
    "occurred_after": DAY,
    "occurred_before": DAY,
    "metadata_filter": METADATA,
}
# Few conditions at a time, since many together leave nothing over.
FILTERS = st.lists(st.sampled_from(sorted(CONDITIONS)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: CONDITIONS[name] for name in names})
)


def equal(stored: Any, wanted: Any) -> bool:
    """Compare as JSON does, to which true is no number."""
    return isinstance(stored, bool) == isinstance(wanted, bool) and bool(stored == wanted)


def holds(test: str, stored: Any, wanted: Any) -> bool:
    """Decide one operator; `stored` is None where the key is absent."""
    if test in ("$eq", "$ne"):
        return equal(stored, wanted) == (test == "$eq")
    if test == "$in":
        return any(equal(stored, one) for one in wanted)
    if test == "$exists":
        return (stored is not None) is bool(wanted)
    kinds = [
        str if isinstance(x, str) else None if x is None or isinstance(x, bool) else float for x in (stored, wanted)
    ]
    if kinds[0] is None or kinds[0] != kinds[1]:
        return False
    found: dict[str, bool] = {
        "$gt": stored > wanted,
        "$gte": stored >= wanted,
        "$lt": stored < wanted,
        "$lte": stored <= wanted,
    }
    return found[test]


def suits(wanted: Row, metadata: Row) -> bool:
    """Decide a metadata filter."""
    for key, value in wanted.items():
        if key == "$and":
            passed = all(suits(each, metadata) for each in value)
        elif key == "$or":
            passed = any(suits(each, metadata) for each in value)
        elif key == "$not":
            passed = not suits(value, metadata)
        else:
            tests = value if isinstance(value, dict) else {"$eq": value}
            passed = all(holds(test, metadata.get(key), operand) for test, operand in tests.items())
        if not passed:
            return False
    return True


def told(ms: int) -> datetime:
    """Return a moment from epoch milliseconds, exactly."""
    return datetime.fromtimestamp(ms // 1000, UTC) + timedelta(milliseconds=ms % 1000)


def in_time(moment: datetime | None, after: str | None, before: str | None) -> bool:
    """Decide one stretch of time."""
    if moment is None:
        return not (after or before)
    late = after is None or moment >= datetime.fromisoformat(after)
    return late and (before is None or moment < datetime.fromisoformat(before))


def passes(memory: Row, wanted: Row) -> bool:
    """Decide a whole filter for one memory, one condition after the other."""
    for name in ("agent_id", "user_id", "session_id", "project", "memory_type", "tier"):
        if name in wanted and memory[name] != wanted[name]:
            return False
    seen = wanted.get("visibility") or ("any" if wanted.get("include_confidential") else "private")
    if seen not in ("any", memory["visibility"]):
        return False
    if wanted.get("archived_only"):
        if not memory["archived"]:
            return False
    elif memory["archived"] and not wanted.get("include_archived"):
        return False
    if memory["importance"] < wanted.get("min_importance", 0):
        return False
    occurred = memory["occurred_at"] and datetime.fromisoformat(memory["occurred_at"])
    return (
        in_time(told(memory["created_at"]), wanted.get("created_after"), wanted.get("created_before"))
        and in_time(occurred, wanted.get("occurred_after"), wanted.get("occurred_before"))
        and suits(wanted.get("metadata_filter", {}), memory["metadata"])
    )


@pytest.mark.parametrize("mode", ["hybrid", "semantic", "keyword"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wanted=FILTERS)
def test_a_search_finds_all_that_passes_its_filter_and_nothing_else(world: World, mode: str, wanted: Row) -> None:
    for name in ("created_after", "created_before"):
        if name in wanted:
            wanted = {**wanted, name: world.moment(wanted[name])}
    if "session_id" in wanted:
        wanted = {**wanted, "session_id": world.sessions[wanted["session_id"]]}
    query = "tea with Ada Lovelace and lemon"
    found = [hit.memory["id"] for hit in world.notes.hits(query, search_mode=mode, limit=100, **wanted)]
    assert len(found) == len(set(found))
    assert set(found) == {id for id, memory in world.memories.items() if passes(memory, wanted)}
