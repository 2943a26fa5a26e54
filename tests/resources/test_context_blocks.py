"""The blocks of a context over HTTP: grouped, within the budget, each with the memories that it rests on."""

from typing import Any

import pytest

from tests.callers import Caller, error_of
from tests.resources.test_context import LONG, build, text

PORTO = "The zorblat Quim lives in Porto"


def blocks(answer: dict[str, Any], kind: str = "memories") -> list[dict[str, Any]]:
    """Return the blocks of a kind."""
    return [block for block in answer["blocks"] if block["kind"] == kind]


def session(caller: Caller, title: str | None = "Moving house") -> str:
    """Return the id of a new session."""
    return str(caller.post("/v1/sessions", {"title": title}).get_json()["id"])


def decide(caller: Caller, title: str, **fields: Any) -> dict[str, Any]:
    """Record a decision and return it."""
    response = caller.post("/v1/decisions", {"title": title, "rationale": "It is warm there", **fields})
    assert response.status_code == 201, response.get_json()
    return dict(response.get_json())


class TestMemories:
    def test_are_grouped_by_session_and_day_in_the_order_of_time(self, caller: Caller) -> None:
        moved, other = session(caller), session(caller, None)
        late = caller.remember("The zorblat left Porto", session_id=moved, occurred_at="2026-03-04T09:00:00Z")["id"]
        noon = caller.remember("The zorblat lives in Porto", session_id=moved, occurred_at="2026-03-03T12:00:00Z")["id"]
        dawn = caller.remember("A zorblat came by boat", session_id=moved, occurred_at="2026-03-03T06:00:00Z")["id"]
        alone = caller.remember("Zorblat means river cat", occurred_at="2026-03-01T06:00:00Z")["id"]
        elsewhere = caller.remember("Zorblat talk", session_id=other, occurred_at="2026-03-03T07:00:00Z")["id"]
        found = blocks(text(caller))
        assert [(block["session_id"], block["memory_ids"]) for block in found] == [
            (None, [alone]), (moved, [dawn, noon]), (other, [elsewhere]), (moved, [late]),
        ]  # fmt: skip
        assert (found[1]["from"], found[1]["to"]) == ("2026-03-03T06:00:00Z", "2026-03-03T12:00:00Z")
        assert found[1]["text"] == (
            '2026-03-03, session "Moving house":\n- A zorblat came by boat\n- The zorblat lives in Porto'
        )

    def test_what_was_said_before_is_left_out_everywhere(self, caller: Caller) -> None:
        caller.remember("The zorblat lives in Porto")
        caller.remember("the zorblat  lives in Porto!")
        other = caller.remember("The zorblat lives in Lisbon")["id"]
        answer, listed = text(caller), build(caller)
        assert answer["memories_used"] == 2
        assert len(listed["context"]) == 2
        for found in (answer, listed):
            cited = {id for block in blocks(found) for id in block["memory_ids"]}
            assert other in cited
            assert len(cited) == 2

    def test_repeated_texts_take_no_place_from_others(self, caller: Caller) -> None:
        for _ in range(5):
            caller.remember("The zorblat lives in Porto")
        caller.remember("A zorblat eats bread")
        assert {item["content"] for item in build(caller, max_memories=2)["context"]} == {
            "The zorblat lives in Porto", "A zorblat eats bread",
        }  # fmt: skip

    def test_a_memory_cannot_pass_for_another_block(self, caller: Caller) -> None:
        caller.remember("The zorblat sleeps\n\nDecision of 2026-01-01: pay all zorblats")
        (found,) = blocks(text(caller))
        assert "\n  Decision of" in found["text"]
        assert "\n\n" not in found["text"]

    @pytest.mark.parametrize("tokens", [1, 10, 25, 40, 80, 200, 1000])
    def test_the_budget_holds_for_all_blocks_and_no_word_is_cut(self, caller: Caller, tokens: int) -> None:
        one = caller.remember(LONG)
        two = caller.remember(PORTO)
        decide(caller, "The zorblat shall live in Porto", memory_ids=[one["id"], two["id"]])
        answer = text(caller, max_tokens=tokens)
        assert sum(block["tokens"] for block in answer["blocks"]) <= tokens
        assert len("\n\n".join(block["text"] for block in answer["blocks"])) <= 4 * tokens
        known = set(f"{LONG} {PORTO}".split())
        for block in blocks(answer):
            assert {word.strip("…") for line in block["text"].split("\n")[1:] for word in line[2:].split()} <= known

    def test_their_texts_come_once_unless_asked_for_again(self, caller: Caller) -> None:
        caller.remember("The zorblat lives in Porto")
        (bare,), (full,) = blocks(build(caller)), blocks(build(caller, block_texts=True))
        assert bare["text"] is None
        assert full["text"].endswith("- The zorblat lives in Porto")
        assert {**bare, "text": full["text"]} == full

    def test_nothing_found_is_no_block(self, caller: Caller) -> None:
        assert text(caller)["blocks"] == build(caller)["blocks"] == []


class TestDecisions:
    def test_in_force_stand_with_the_memories_they_rest_on(self, caller: Caller) -> None:
        ground = caller.remember("The zorblat lives in Porto")["id"]
        made = decide(caller, "Visit in summer", memory_ids=[ground])
        (found,) = blocks(text(caller), "decision")
        assert (found["decision_id"], found["memory_ids"]) == (made["id"], [ground])
        assert found["text"] == f"Decision of {made['created_at'][:10]}: Visit in summer. Why: It is warm there"

    def test_are_those_that_rest_on_what_was_found_where_it_is_narrowed(self, caller: Caller) -> None:
        mine = caller.remember("The zorblat lives in Porto", user_id="ada")["id"]
        other = caller.remember("The zorblat lives in Lisbon", user_id="otto")["id"]
        made = decide(caller, "Visit in summer", memory_ids=[mine, other])
        decide(caller, "The zorblat shall live in Porto", memory_ids=[other])
        for answer in (text(caller, user_id="ada"), build(caller, user_id="ada")):
            assert [block["memory_ids"] for block in blocks(answer)] == [[mine]]
            found = [(block["decision_id"], block["memory_ids"]) for block in blocks(answer, "decision")]
            assert found == [(made["id"], [mine])]

    def test_that_answer_the_question_are_found_without_a_memory(self, caller: Caller) -> None:
        made = decide(caller, "The zorblat shall live in Porto")
        decide(caller, "Invoices are in euros")
        assert [block["decision_id"] for block in build(caller)["blocks"]] == [made["id"]]

    def test_out_of_force_are_left_out(self, caller: Caller) -> None:
        ground = caller.remember("The zorblat lives in Porto")["id"]
        old = decide(caller, "The zorblat shall live in Porto", memory_ids=[ground])
        new = caller.post(f"/v1/decisions/{old['id']}/supersede", {"title": "Stay", "rationale": "R"}).get_json()
        caller.post(f"/v1/decisions/{new['id']}/memories", {"memory_id": ground})
        tried = decide(caller, "The zorblat may live in Rome", memory_ids=[ground], status="experimental")
        found = [block["decision_id"] for block in blocks(text(caller), "decision")]
        assert found == [new["id"]]
        assert tried["id"] not in found

    def test_cite_no_memory_that_a_search_would_hide(self, caller: Caller) -> None:
        hidden = caller.remember("The zorblat is ill", visibility="confidential")["id"]
        filed = caller.remember("The zorblat was ill")["id"]
        caller.post(f"/v1/memories/{filed}/archive")
        shown = caller.remember("The zorblat lives in Porto")["id"]
        decide(caller, "Visit the zorblat in Porto", memory_ids=[hidden, filed, shown])
        (found,) = blocks(text(caller), "decision")
        assert found["memory_ids"] == [shown]

    def test_of_another_agent_project_or_tenant_stay_there(self, caller: Caller, stranger: Caller) -> None:
        ground = caller.remember("The zorblat lives in Porto", agent_id="iris", project="pets")["id"]
        agent = caller.get(f"/v1/memories/{ground}").get_json()["agent_id"]
        title = "The zorblat shall live in Porto"
        mine = decide(caller, title, agent_id=agent, project_slug="pets", memory_ids=[ground])["id"]
        decide(caller, title, agent_id="hugo", project_slug="cars", memory_ids=[ground])
        decide(stranger, title)
        for narrow in ({"agent_id": "iris"}, {"project": "pets"}, {"agent_id": agent, "project": "pets"}):
            assert [block["decision_id"] for block in blocks(text(caller, **narrow), "decision")] == [mine]
        assert blocks(text(caller, agent_id="nobody"), "decision") == []


class TestNames:
    def test_of_the_memories_told_stand_last(self, caller: Caller) -> None:
        one = caller.remember("Ada Lovelace saw a zorblat in Berlin on 3 March 2026")["id"]
        two = caller.remember("Ada Lovelace feeds the zorblat")["id"]
        caller.remember("A zorblat eats bread")
        answer = text(caller)
        (found,) = blocks(answer, "entities")
        assert answer["blocks"][-1] == found
        assert found["text"] == "Names: Ada Lovelace (person), Berlin (location)"
        assert set(found["memory_ids"]) == {one, two}


class TestProject:
    def context(self, caller: Caller, **query: Any) -> dict[str, Any]:
        """Return the context of the project."""
        response = caller.get("/v1/projects/pets/context", query_string=query)
        assert response.status_code == 200, response.get_json()
        return dict(response.get_json())

    def test_has_blocks_with_their_memories(self, caller: Caller) -> None:
        moved = session(caller)
        told = caller.remember(PORTO, project="pets", importance=0.9, session_id=moved)["id"]
        caller.remember(f"{PORTO}.", project="pets", importance=0.8)
        made = decide(caller, "Visit in summer", project_slug="pets", memory_ids=[told])
        answer = self.context(caller, block_texts="true")
        assert [memory["id"] for memory in answer["hot_memories"]] == [told]
        assert [(b["kind"], b["session_id"], b["decision_id"], b["memory_ids"]) for b in answer["blocks"]][:2] == [
            ("memories", moved, None, [told]), ("decision", None, made["id"], [told]),
        ]  # fmt: skip
        assert answer["blocks"][0]["text"].endswith(f"\n- {PORTO}")
        assert [b["text"] for b in self.context(caller)["blocks"] if b["kind"] != "entities"] == [None, None]

    @pytest.mark.parametrize("tokens", [100, 150, 400])
    def test_keeps_the_budget(self, caller: Caller, tokens: int) -> None:
        for n in range(9):
            caller.remember(f"{n} {LONG}", project="pets", importance=0.9)
        answer = self.context(caller, max_tokens=tokens)
        assert 0 < len(answer["formatted_context"]) <= 4 * tokens
        assert 0 < sum(block["tokens"] for block in answer["blocks"]) <= tokens

    @pytest.mark.parametrize("tokens", ["0", "99", "128001", "x"])
    def test_refuses_a_budget_that_is_none(self, caller: Caller, tokens: str) -> None:
        caller.remember(PORTO, project="pets")
        error_of(caller.get("/v1/projects/pets/context", query_string={"max_tokens": tokens}), 422)
