"""The past in the graph: a page of it takes its order from an index, as pages of today do."""

import pytest

from app.state import State
from graph import memory_changes, moments
from graph.driver import Connection
from tests.graph.plans import operators, reads_a_page

GIVEN = {**moments.EVERYTHING, "tenant": "t", "now": 1, "as_of": 1, "never": 2, "offset": 0, "limit": 20}
SCOPE = {**dict.fromkeys(memory_changes.SCOPES), "since": 0, "before": 9, "place": "", "most": 20}


class TestPlans:
    @pytest.mark.parametrize("name", moments.LISTS)
    def test_a_page_of_the_past_stops_at_its_limit(self, connection: Connection, parts: State, name: str) -> None:
        assert reads_a_page(connection, moments.LISTS[name], **GIVEN)
        assert reads_a_page(connection, moments.KEY_LISTS[name], **GIVEN)

    def test_a_session_of_the_past_stops_at_its_limit(self, connection: Connection, parts: State) -> None:
        assert reads_a_page(connection, moments.STORY, **{**GIVEN, "id": "s", "after_seq": 0})

    @pytest.mark.parametrize("name", memory_changes.FEEDS)
    def test_a_page_of_changes_sorts_no_more_than_its_limit(
        self, connection: Connection, parts: State, name: str
    ) -> None:
        found = operators(connection, memory_changes.FEEDS[name], **{**GIVEN, **SCOPE})
        assert not any("Scan" in each and "Index" not in each for each in found)
        # One sort of what the parts brought; each part takes its order from its index.
        assert [each for each in found if each in ("Top", "Sort")] in (["Top"], ["Sort", "Top"])
        assert sum(each.startswith("PartialTop") for each in found) == 2
