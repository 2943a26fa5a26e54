"""What the published client calls beside store and retrieve: context, feedback, stats, usage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from app.clock import now_ms
from tests.compat.agentmemo.conftest import Memo
from tests.compat.agentmemo.shapes import CONTEXT, FEEDBACK, STATS, USAGE, faults
from tests.together import at_once

DAY = 86_400


class TestContext:
    def test_puts_the_most_important_first_then_the_newest(self, memo: Memo) -> None:
        for text, importance in (("an old\n note", 2), ("the allergy", 9), ("a new note", 2)):
            memo.store(text, importance=importance)
        found = memo.ok("GET", "/memory/context?user_id=u_77")
        assert faults(CONTEXT, found) == []
        assert found["context"] == "- the allergy\n- a new note\n- an old note" == found["formatted"]["raw"]
        assert (found["memories_used"], found["memories_available"], found["tokens_saved"]) == (3, 3, 0)
        assert found["token_count"] == -(-len(found["context"]) // 4)

    @pytest.mark.parametrize(("shape", "around"), [("raw", ""), ("anthropic", "<memory>"), ("openai", "remembered")])
    def test_is_wrapped_as_asked(self, memo: Memo, shape: str, around: str) -> None:
        empty = memo.ok("GET", f"/memory/context?user_id=u_77&format={shape}")
        assert (empty["context"], empty["token_count"], empty["memories_used"]) == ("", 0, 0)
        memo.store("the allergy")
        found = memo.ok("GET", f"/memory/context?user_id=u_77&format={shape}")
        assert around in found["context"]
        assert "- the allergy" in found["context"]
        assert found["context"] == found["formatted"][shape]

    def test_stays_within_its_tokens(self, memo: Memo) -> None:
        items = [{"user_id": "u_77", "agent_id": "desk", "content": f"{number} " + "word " * 30} for number in range(9)]
        memo.ok("POST", "/memory/batch", {"memories": items}, status=201)
        for sent, most in (("100", 100), ("1", 100), ("many", 2_000), ("99999", 8_000)):
            found = memo.ok("GET", f"/memory/context?user_id=u_77&max_tokens={sent}")
            assert found["token_count"] <= most
            assert (found["memories_used"] == 9) is (most > 100)
            assert (found["tokens_saved"] > 0) is (most == 100)

    def test_is_of_one_user_and_of_what_holds_now(self, memo: Memo) -> None:
        memo.store("of another", "u_2")
        memo.store("by the shop", agent_id="shop")
        memo.store("the past", valid_until=now_ms() - 1)
        assert memo.ok("GET", "/memory/context?user_id=u_77")["context"] == "- by the shop"
        assert memo.ok("GET", "/memory/context?user_id=u_77&agent_id=desk")["memories_available"] == 1 - 1
        for wrong in ("", "?user_id=", "?user_id=u&format=xml", f"?user_id={'u' * 257}"):
            memo.refused(400, "GET", f"/memory/context{wrong}")


class TestFeedback:
    def test_moves_the_score_slowly(self, memo: Memo) -> None:
        made = memo.store("the kettle whistles")["id"]
        seen = []
        for outcome in ("success", "success", "failure"):
            found = memo.ok("POST", "/memory/feedback", {"memory_id": made, "outcome": outcome})
            assert faults(FEEDBACK, found) == []
            assert (found["memory_id"], found["outcome"]) == (made, outcome)
            seen.append(found["outcome_score"])
        assert seen == [0.65, 0.755, 0.5285]
        (hit,) = memo.retrieve("kettle")
        assert (hit["outcome"], hit["metadata"]) == ("failure", {})

    @pytest.mark.parametrize(("confidence", "score"), [(1, 0.65), (0.5, 0.575), (0, 0.5), (None, 0.65)])
    def test_weighs_how_sure_it_is(self, memo: Memo, confidence: float | None, score: float) -> None:
        body = {"memory_id": memo.store("one")["id"], "outcome": "success", "confidence": confidence}
        assert memo.ok("POST", "/memory/feedback", body)["outcome_score"] == score

    @pytest.mark.parametrize(("outcome", "score"), [("success", 1.0), ("failure", 0.7)])
    def test_begins_with_what_was_stored(self, memo: Memo, outcome: str, score: float) -> None:
        body = {"memory_id": memo.store("one", outcome="success")["id"], "outcome": outcome}
        assert memo.ok("POST", "/memory/feedback", body)["outcome_score"] == score

    def test_at_one_moment_is_all_counted(self, memo: Memo) -> None:
        body = {"memory_id": memo.store("one")["id"], "outcome": "success"}
        at_once([lambda: memo.ok("POST", "/memory/feedback", body)] * 4)
        last = memo.ok("POST", "/memory/feedback", {**body, "confidence": 0})["outcome_score"]
        assert last == pytest.approx(0.7 * (1 - 0.5 * 0.7**4) + 0.3 * 0.5, abs=1e-5)

    @pytest.mark.parametrize(
        "wrong", [{"memory_id": None}, {"memory_id": 7}, {"outcome": "unknown"}, {"outcome": None}, {"confidence": 2},
                  {"confidence": "much"}],
    )  # fmt: skip
    def test_refuses_what_is_wrong_and_names_it(self, memo: Memo, wrong: dict[str, Any]) -> None:
        body = {"memory_id": memo.store("one")["id"], "outcome": "success", **wrong}
        assert memo.refused(400, "POST", "/memory/feedback", body).startswith(next(iter(wrong)))

    def test_has_room_beside_the_largest_metadata(self, memo: Memo) -> None:
        made = memo.store("one", metadata={"a": "b" * 10_080})["id"]
        assert memo.ok("POST", "/memory/feedback", {"memory_id": made, "outcome": "success"})["outcome_score"] == 0.65
        full = {"user_id": "u", "agent_id": "a", "content": "x", "metadata": {"a": "b" * 10_080}, "tags": ["t" * 100]}
        memo.refused(400, "POST", "/memory/store", full)


class TestStats:
    def test_counts_by_what_was_stored(self, memo: Memo) -> None:
        first = memo.store("Prefers tea to coffee", namespace="work", outcome="success", importance=8)
        memo.store("The kettle is blue", importance=2)
        memo.store("The kettle is old", "u_2")
        found = memo.ok("GET", "/memory/stats?")
        assert faults(STATS, found) == []
        assert (found["total_memories"], found["avg_importance"]) == (3, 3.33)
        assert found["by_namespace"] == {"work": 1, "default": 2}
        assert found["by_outcome"] == {"success": 1, "unknown": 2}
        assert sum(found["by_category"].values()) == 3
        assert (found["oldest_memory"], found["stale_count"]) == (first["created_at"], 0)
        assert memo.ok("GET", "/memory/stats?user_id=u_2")["total_memories"] == 1
        assert memo.ok("GET", "/memory/stats?user_id=u_9")["oldest_memory"] is None
        later = datetime.fromtimestamp(first["created_at"] / 1000 + 31 * DAY, UTC)
        with time_machine.travel(later, tick=False):
            assert memo.ok("GET", "/memory/stats")["stale_count"] == 3


class TestUsage:
    def test_counts_the_keys_own_requests(self, memo: Memo) -> None:
        memo.store("the kettle whistles")
        memo.retrieve("kettle")
        memo.refused(400, "POST", "/memory/store", {})
        found = memo.ok("GET", "/usage")
        assert faults(USAGE, found) == []
        assert found["api_key_id"].startswith("am_pk_")
        assert (len(found["api_key_id"]), found["limit"], found["used"]) == (22, None, 3)
        assert found["totals"]["requests"] == 3
        assert (found["totals"]["errors"], found["totals"]["tokens"]) == (1, 5 + 2)
        assert found["by_route"] == [
            {"route": "POST /memory/store", "requests": 2, "tokens": 5},
            {"route": "GET /memory/retrieve", "requests": 1, "tokens": 2},
        ]
        today = datetime.fromtimestamp(now_ms() / 1000, UTC)
        assert found["daily"] == [{"day": today.strftime("%Y-%m-%d"), "requests": 3, "tokens": 7}]
        resets = datetime.fromtimestamp(found["reset_date"] / 1000, UTC)
        assert (resets.day, resets.hour, resets > today) == (1, 0, True)
        assert found["window"]["to"] - found["window"]["from"] == 30 * DAY * 1000

    def test_is_of_the_time_asked_for(self, memo: Memo) -> None:
        memo.store("one")
        now = now_ms()
        past = memo.ok("GET", "/usage", query_string={"from": now - 9 * DAY * 1000, "to": now - 2 * DAY * 1000})
        assert (past["totals"]["requests"], past["by_route"]) == (0, [])
        assert past["window"] == {"from": now - 9 * DAY * 1000, "to": now - 2 * DAY * 1000}
        for days in ("0", "1", "400", "many"):
            assert len(memo.ok("GET", f"/usage?days={days}")["daily"]) == 1
        for wrong in ("from=yesterday", "to=-1", "from=1.5"):
            memo.refused(400, "GET", f"/usage?{wrong}")
        memo.ok("GET", "/usage", query_string={"from": now, "to": 5})
