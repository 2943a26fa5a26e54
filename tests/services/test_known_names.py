"""Known names: right at once for what this process does, soon for what others do, and never another tenant's."""

import time
import uuid
from collections.abc import Callable

import pytest

from app.services import known_names
from app.services.entities import named
from app.services.extract import extract
from app.services.known_names import NameCache
from app.state import State
from graph.entities import EntityRepository
from graph.entity_names import EntityNameRepository
from tests.callers import Caller
from tests.resources.test_entities import make

TEXT = "the zebra pipeline stood still"


def eventually(happens: Callable[[], bool]) -> bool:
    """Tell whether something becomes true within ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if happens():
            return True
        time.sleep(0.02)
    return False


def elsewhere(parts: State, caller: Caller, name: str) -> str:
    """Make an entity as another process does: without a word to the cache."""
    id = str(uuid.uuid4())
    EntityRepository(parts.graph, caller).create(id, named(name, "project"), "{}", None)
    return id


def values(caller: Caller, text: str) -> list[str]:
    """Return the names found in a memory that is stored now."""
    return [entity["value"] for entity in caller.remember(text)["entities"]]


class TestStoring:
    def test_finds_a_name_made_a_moment_ago(self, caller: Caller) -> None:
        assert values(caller, TEXT) == []
        make(caller, "Zebra Pipeline")
        assert values(caller, TEXT + " again") == ["Zebra Pipeline"]

    def test_finds_aliases_and_small_misspellings(self, caller: Caller) -> None:
        id = make(caller, "Zebra Pipeline")["id"]
        caller.post(f"/v1/entities/{id}/aliases", {"alias": "stripey thing"})
        assert values(caller, "who restarts the stripey thing?") == ["Zebra Pipeline"]
        make(caller, "Hephaestus", "technology")
        assert "Hephaestus" in values(caller, "We restarted Hephaistus yesterday")

    def test_forgets_a_deleted_entity_at_once(self, caller: Caller) -> None:
        id = make(caller, "Zebra Pipeline")["id"]
        assert values(caller, TEXT) == ["Zebra Pipeline"]
        caller.delete(f"/v1/entities/{id}")
        assert values(caller, TEXT + " again") == []

    def test_follows_a_rename_and_a_merge(self, caller: Caller) -> None:
        id = make(caller, "Zebra Pipeline")["id"]
        caller.patch(f"/v1/entities/{id}", {"name": "Giraffe Pipeline"})
        assert values(caller, "a giraffe pipeline ran") == ["Giraffe Pipeline"]
        assert values(caller, TEXT) == ["Giraffe Pipeline"]
        into = make(caller, "Okapi Pipeline")["id"]
        caller.post(f"/v1/entities/{id}/merge", {"into": into})
        assert values(caller, TEXT + " again") == ["Okapi Pipeline"]

    def test_an_edit_finds_them_too(self, caller: Caller) -> None:
        make(caller, "Zebra Pipeline")
        memory = caller.remember("nothing here")
        edited = caller.put(f"/v1/memories/{memory['id']}", {"content": TEXT}).get_json()
        assert [entity["value"] for entity in edited["entities"]] == ["Zebra Pipeline"]

    def test_never_finds_names_of_another_tenant(self, caller: Caller, stranger: Caller) -> None:
        make(stranger, "Zebra Pipeline")
        assert values(stranger, TEXT) == ["Zebra Pipeline"]
        assert values(caller, TEXT) == []


class TestCache:
    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("CHECK_SECONDS", "REST_SECONDS", "REST_FACTOR"):
            monkeypatch.setattr(known_names, name, 0)

    def test_sees_what_another_process_adds_and_takes_away(self, caller: Caller, parts: State) -> None:
        cache = NameCache()

        def found() -> list[str]:
            return [mention.name for mention in extract(TEXT, known=cache.of(parts.graph, caller.tenant))]

        assert found() == []
        id = elsewhere(parts, caller, "Zebra Pipeline")
        EntityNameRepository(parts.graph, caller).add(id, "stood still", "stood still")
        assert eventually(lambda: found() == ["Zebra Pipeline"])
        names = cache.of(parts.graph, caller.tenant)
        assert names.exact("stood still") is not None
        EntityNameRepository(parts.graph, caller).drop(id, "stood still")
        assert eventually(lambda: cache.of(parts.graph, caller.tenant).exact("stood still") is None)

    def test_reads_nothing_while_nothing_changes(
        self, caller: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(known_names, "CHECK_SECONDS", 1000)
        elsewhere(parts, caller, "Zebra Pipeline")
        cache = NameCache()
        names = cache.of(parts.graph, caller.tenant)
        monkeypatch.setattr(known_names, "EntityNameRepository", None)
        assert cache.of(parts.graph, caller.tenant) is names

    def test_a_large_tenant_is_read_in_two_steps(
        self, caller: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(known_names, "MOST_FIRST", 2)
        for number in range(5):
            elsewhere(parts, caller, f"Zebra number {number}")
        cache = NameCache()
        assert len(cache.of(parts.graph, caller.tenant)) == 2
        assert eventually(lambda: len(cache.of(parts.graph, caller.tenant)) == 5)

    def test_holds_a_bounded_number_of_names(
        self, caller: Caller, stranger: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(known_names, "MOST_HELD", 1)
        cache = NameCache()
        first = cache.of(parts.graph, caller.tenant)
        cache.of(parts.graph, stranger.tenant)
        assert cache.of(parts.graph, caller.tenant) is not first

    def test_a_long_run_of_new_names_is_read_anew(
        self, caller: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(known_names, "CHECK_SECONDS", 1000)
        monkeypatch.setattr(known_names, "MOST_RECENT", 3)
        cache = NameCache()
        cache.of(parts.graph, caller.tenant)
        for number in range(5):
            id = elsewhere(parts, caller, f"Zebra number {number}")
            cache.added(caller.tenant, f"zebra number {number}", f"Zebra number {number}", "project", id)
        assert all(cache.of(parts.graph, caller.tenant).exact(f"Zebra number {number}") for number in range(5))
