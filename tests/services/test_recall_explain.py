"""Why a hit is there: its arms, its boosts and the way to it; and that each arm brings what the others do not."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from app.auth import Principal
from app.schemas.search import SearchIn
from app.services.recall import search
from app.services.recall.look import ARMS
from app.services.recall.search import Recalled
from app.state import State
from tests.callers import Caller
from tests.notebook import Notebook, notebook_of

THINGS = "soup weather garden bread paint train lamp river stone cloud glass".split()
FILLING = [" ".join(["kitten", *(f"{thing}{i}" for thing in THINGS)]) for i in range(60)]
NAMED = "kitten seldom visits old Hephaestus machine behind northern mill near quiet river past long empty fields"
DIRECTOR, BORN = "The film Blue Harbour was directed by Ada Lovelace.", "Ada Lovelace was born in Trondheim."


def asked(notes: Notebook, query: str, **fields: Any) -> Recalled:
    """Search and return everything that is answered, with explanations."""
    return search(notes.parts, notes.caller, SearchIn().load({"query": query, "explain": True, **fields}))


def reason(found: Recalled, text: str) -> dict[str, Any]:
    """Return the explanation of the hit with this text."""
    explanation = next(hit.explanation for hit in found.hits if hit.memory["content"] == text)
    assert explanation is not None
    return explanation


def kinds(path: dict[str, Any]) -> list[str]:
    """Return what the nodes of a path are."""
    return [node["kind"] for node in path["nodes"]]


@pytest.fixture
def known(caller: Caller, parts: State) -> Notebook:
    """Sixty memories nearer to a question about kittens than the one that carries a rare name, which has an alias."""
    made = caller.post("/v1/entities", {"name": "Hephaestus", "entity_type": "technology"})
    assert made.status_code == 201
    alias = caller.post(f"/v1/entities/{made.get_json()['id']}/aliases", {"alias": "stripey thing"})
    assert alias.status_code in (200, 201), alias.get_json()
    notes = Notebook(parts, Principal(caller.tenant, "account", "default", "key", frozenset({"read", "write"})))
    notes.store("which kitten watches us", NAMED, *FILLING)
    return notes


class TestNamesOfTheQuestion:
    @pytest.mark.parametrize("name", ["Hephaestus", "Hephaistus", "stripey thing"])
    def test_bring_what_carries_them_and_is_far_from_the_question(self, known: Notebook, name: str) -> None:
        query = f"which kitten watches {name}"
        wanted: dict[str, Any] = {"limit": 5, "weights": {"named": 1.0}}
        assert NAMED in known.ask(query, arms=["vectors", "entities"], **wanted)
        if name != "Hephaestus":  # its vector knows the name as written
            assert NAMED not in known.ask(query, arms=["vectors", "session", "graph"], **wanted)

    def test_count_as_little_as_is_asked_for(self, known: Notebook) -> None:
        gains = [
            reason(asked(known, "which kitten watches Hephaestus", limit=100, weights={"named": weight}), NAMED)["arms"]
            for weight in (0.0, 0.5, 1.0)
        ]
        assert "entities" not in gains[0]
        assert 2 * gains[1]["entities"]["score"] == pytest.approx(gains[2]["entities"]["score"], rel=1e-3)

    def test_that_the_tenant_does_not_have_bring_nothing(self, known: Notebook) -> None:
        found = asked(known, "which kitten watches Prometheus", limit=100)
        assert found.explanation is not None
        assert found.explanation["counts"]["named"] == 0
        assert all("entities" not in (hit.explanation or {})["arms"] for hit in found.hits)


class TestPaths:
    def linked(self, notes: Notebook, path: dict[str, Any]) -> Sequence[tuple[str, str, str]]:
        """Assert that the path is one from the question to a memory, and return its steps."""
        nodes, relationships = path["nodes"], path["relationships"]
        assert (nodes[0]["kind"], nodes[0]["id"], nodes[-1]["kind"]) == ("question", None, "memory")
        assert len(relationships) == len(nodes) - 1
        exists = (
            "CYPHER 25 MATCH (a {tenant: $tenant, id: $from})-[r]-(b {tenant: $tenant, id: $to}) "
            "WHERE type(r) = $type RETURN count(r) AS links"
        )
        for (a, b), how in zip(pairwise(nodes), relationships, strict=True):
            assert b["id"]
            assert b["name"]
            if a["id"] is not None:
                ends = {"tenant": notes.caller.tenant, "from": a["id"], "to": b["id"], "type": how}
                assert notes.parts.graph.read(exists, **ends)[0]["links"] > 0, (a, how, b)
        return [(a["kind"], how, b["kind"]) for (a, b), how in zip(pairwise(nodes), relationships, strict=True)]

    @pytest.mark.parametrize("mode", ["hybrid", "semantic", "keyword"])
    def test_straight_to_what_the_question_found(self, notes: Notebook, mode: str) -> None:
        notes.store("the kettle whistles", "lunch was late again")
        path = reason(asked(notes, "whistling kettle", search_mode=mode), "the kettle whistles")["path"]
        assert self.linked(notes, path) == [("question", "FOUND", "memory")]
        assert path["nodes"][-1]["name"] == "the kettle whistles"

    def test_over_a_name_of_the_question(self, known: Notebook) -> None:
        arms = ["vectors", "entities"]
        found = asked(known, "which kitten watches Hephaistus", arms=arms, weights={"named": 1.0})
        path = reason(found, NAMED)["path"]
        assert self.linked(known, path) == [("question", "NAMES", "entity"), ("entity", "MENTIONS", "memory")]
        assert path["nodes"][1]["name"] == "Hephaestus"

    @pytest.mark.parametrize(("title", "last"), [(None, "MENTIONS"), ("Ada Lovelace", "ABOUT")])
    def test_over_a_name_that_a_better_hit_carries(self, notes: Notebook, title: str | None, last: str) -> None:
        [seed, *_] = notes.store(DIRECTOR, *(f"Filler text number {i} speaks of weather." for i in range(60)))
        notes.store(BORN, title=title)
        found = asked(notes, "who directed the film Blue Harbour")
        path = reason(found, BORN)["path"]
        assert self.linked(notes, path) == [
            ("question", "FOUND", "memory"),
            ("memory", "MENTIONS", "entity"),
            ("entity", last, "memory"),
        ]
        assert path["nodes"][1]["id"] == seed
        assert path["nodes"][2]["name"] == "Ada Lovelace"

    def test_over_its_neighbour_in_the_session(self, notes: Notebook) -> None:
        session = notes.session()
        [seed, *_] = notes.store("Shall we buy the green bicycle?", "Yes, tomorrow morning.", session_id=session)
        notes.store(*(f"soup {i} is likely." for i in range(60)))
        path = reason(asked(notes, "green bicycle purchase"), "Yes, tomorrow morning.")["path"]
        assert self.linked(notes, path) == [("question", "FOUND", "memory"), ("memory", "NEXT", "memory")]
        assert path["nodes"][1]["id"] == seed

    def test_two_places_on_name_what_stands_between(self, notes: Notebook) -> None:
        texts = (
            "Shall we buy the green bicycle?",
            "Yes, tomorrow morning.",
            "Then bring some money along, because nobody there ever takes cards, cheques or foreign coins.",
        )
        ids = notes.store(*texts, session_id=notes.session())
        notes.store("green bicycle shed", "green bicycle lane", *(f"soup {i} is likely." for i in range(60)))
        arms = ["vectors", "session", "graph"]
        found = asked(notes, "buy green bicycle money", limit=100, arms=arms, weights={"walk": 1.0})
        path = reason(found, texts[2])["path"]
        self.linked(notes, path)
        assert [node["id"] for node in path["nodes"]] == [None, *ids]
        assert path["relationships"] == ["FOUND", "NEXT", "NEXT"]

    @pytest.mark.parametrize("arm", ["session", "graph", "entities"])
    def test_never_lead_over_an_arm_that_is_off(self, known: Notebook, arm: str) -> None:
        found = asked(known, "which kitten watches Hephaestus", arms=[each for each in ARMS if each != arm])
        assert all(arm not in (hit.explanation or {})["arms"] for hit in found.hits)
        for hit in found.hits:
            self.linked(known, (hit.explanation or {})["path"])


class TestOneHit:
    def test_says_what_each_arm_gave(self, notes: Notebook) -> None:
        notes.store("the kettle whistles", "the kettle is blue and whistles at noon in the kitchen", "lunch was late")
        found = asked(notes, "the kettle whistles")
        first, second = (hit.explanation or {} for hit in found.hits[:2])
        for arm in ("vectors", "words"):
            assert [each["arms"][arm]["rank"] for each in (first, second)] == [1, 2]
            assert first["arms"][arm]["score"] > second["arms"][arm]["score"] > 0
        assert first["arms"]["vectors"]["score"] == pytest.approx(1, abs=1e-3)
        assert first["ranking_score"] > second["ranking_score"]

    def test_says_what_was_multiplied(self, notes: Notebook) -> None:
        notes.store("the kettle whistles", importance=0.9)
        notes.store("the kettle is blue", importance=0.1)
        found = asked(notes, "kettle")
        high, low = (reason(found, text)["boosts"] for text in ("the kettle whistles", "the kettle is blue"))
        assert {"recency", "importance", "tier"} <= set(high)
        assert high["importance"] > 1 > low["importance"]
        assert high["tier"] > low["tier"]

    @pytest.mark.parametrize(
        ("fields", "factors"),
        [
            ({"search_mode": "semantic"}, set()),
            ({"search_mode": "keyword"}, set()),
            ({"weights": {"boost": 0}}, {1.0}),
        ],
    )
    def test_names_no_boost_that_had_no_part(
        self, notes: Notebook, fields: dict[str, Any], factors: set[float]
    ) -> None:
        notes.store("the kettle whistles", importance=0.9)
        assert set(reason(asked(notes, "kettle", **fields), "the kettle whistles")["boosts"].values()) == factors

    def test_says_that_the_question_speaks_of_its_time(self, notes: Notebook) -> None:
        notes.store("the kettle whistles", occurred_at="2023-03-08")
        notes.store("the kettle is blue")
        found = asked(notes, "kettle in March 2023")
        assert reason(found, "the kettle whistles")["boosts"]["time"] > 1
        assert reason(found, "the kettle is blue")["boosts"]["time"] == 1
        assert [each["phrase"] for each in (found.explanation or {})["times"]] == ["March 2023"]

    @pytest.mark.parametrize(("mode", "arm"), [("semantic", "vectors"), ("keyword", "words")])
    def test_of_one_arm_names_that_arm_alone(self, notes: Notebook, mode: str, arm: str) -> None:
        notes.store("the kettle whistles", "the kettle is blue")
        for hit in asked(notes, "kettle", search_mode=mode).hits:
            assert set((hit.explanation or {})["arms"]) == {arm}


class TestTheWhole:
    def test_tells_counts_words_and_times(self, known: Notebook) -> None:
        whole = asked(known, "which kitten watches Hephaestus", arms=["vectors", "words", "entities"]).explanation
        assert whole is not None
        assert whole["mode"] == "hybrid"
        assert whole["arms"] == ["entities", "vectors", "words"]
        assert set(whole["words"]) == {"kitten", "watches", "hephaestus"}
        assert "hephaestus" in whole["names"]
        assert whole["counts"]["memories"] == 62
        assert 50 <= whole["counts"]["ranked"] <= 62
        assert whole["counts"]["named"] == 1
        assert {"embed", "search", "rank", "load", "explain"} <= set(whole["ms"])
        assert all(spent >= 0 for spent in whole["ms"].values())

    def test_is_there_when_nothing_is_found(self, notes: Notebook) -> None:
        assert (asked(notes, "anything").explanation or {})["counts"]["ranked"] == 0
        nobody = asked(notes, "anything", agent_id="nobody")
        assert nobody.hits == []
        assert (nobody.explanation or {})["counts"]["ranked"] == 0

    def test_goes_with_a_shortened_answer(self, notes: Notebook) -> None:
        notes.store(*(f"The kettle number {i} whistles. Nobody minds at all." for i in range(5)))
        found = asked(notes, "kettle", compress=True, max_context_tokens=20)
        assert 0 < len(found.hits) < 5
        assert all(hit.explanation is not None for hit in found.hits)


class TestOverHttp:
    def test_nothing_is_explained_unasked(self, caller: Caller) -> None:
        caller.remember("the kettle whistles")
        body = caller.post("/v1/memories/search", {"query": "kettle"}).get_json()
        assert "explanation" not in body
        assert "explanation" not in body["data"][0]

    def test_all_of_it_is_answered(self, caller: Caller) -> None:
        id = caller.remember("the kettle whistles")["id"]
        body = caller.post("/v1/memories/search", {"query": "kettle", "explain": True}).get_json()
        assert set(body["explanation"]) == {"mode", "arms", "words", "names", "counts", "times", "ms"}
        explanation = body["data"][0]["explanation"]
        assert set(explanation) == {"ranking_score", "arms", "boosts", "path"}
        assert explanation["path"]["nodes"][0] == {"kind": "question", "id": None, "name": "the question"}
        assert explanation["path"]["nodes"][-1] == {"kind": "memory", "id": id, "name": "the kettle whistles"}


def test_names_of_another_tenant_are_never_shown(shared: State) -> None:
    one, other = notebook_of(shared), notebook_of(shared)
    secret = "Ada Lovelace met Grace Hopper beside the Zyxwell Engine."
    others = other.store(DIRECTOR, secret, "Zyxwell Engine was built in Oslo.", session_id=other.session())
    one.store(DIRECTOR, BORN, "zyxwell engine", session_id=one.session())
    found = asked(one, "who directed the film Blue Harbour with the Zyxwell Engine and Grace Hopper", limit=100)
    theirs = other.parts.graph.read(
        "CYPHER 25 MATCH (n {tenant: $tenant}) RETURN collect(n.id) AS ids", tenant=other.caller.tenant
    )[0]["ids"]
    shown = str([hit.explanation for hit in found.hits]) + str(found.explanation) + str(found.hits)
    assert len(found.hits) == 3
    assert set(others) <= set(theirs)
    assert not [id for id in theirs if id in shown]
    assert secret not in shown
