"""All 65 routes answer as they must, and `docs/compatibility.md` says what they answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from scripts import compatibility
from tests.compat.routes import CLIENTS, PYTHON_03, PYTHON_04, ROUTES, Route, number_of
from tests.compat.stops import STOPS, UNKNOWN
from tests.compat.tour import Visit, World, tour, visit
from tests.contract.operations import OPERATIONS
from tests.live.server import Live

# Not provoked here: too many calls, a mistake of the server, a database that is away.
ELSEWHERE = {429, 500, 503}
BY_AGENT = [
    ("GET", "/v1/memories"), ("POST", "/v1/memories/search"), ("POST", "/v1/memories/context"), ("GET", "/v1/entities"),
    ("GET", "/v1/sessions"), ("GET", "/v1/decisions"), ("POST", "/v2/context/build"),
]  # fmt: skip


def documented(route: Route) -> set[int]:
    """Return the statuses that the API document gives for a route."""
    operation = next(one for one in OPERATIONS if one.verb == route.verb and unnamed(one.path) == unnamed(route.path))
    return {int(status) for status in operation.spec["responses"]}


def unnamed(path: str) -> str:
    """Return a path without the names of its parameters."""
    return re.sub(r"{\w+}", "{}", path)


@pytest.fixture(scope="module")
def world(live: Live, new_key: Callable[..., str]) -> Iterator[World]:
    made = World(live.base_url, new_key)
    yield made
    made.close()


@pytest.fixture(scope="module")
def visits(world: World) -> list[Visit]:
    return tour(world)


class TestIndex:
    def test_there_are_65_routes_and_the_tour_stops_at_each(self) -> None:
        assert list(ROUTES) == list(STOPS) == list(range(1, 66))

    @pytest.mark.parametrize("route", ROUTES.values(), ids=str)
    def test_a_request_is_told_from_every_other(self, route: Route) -> None:
        assert number_of(route.verb, route.path.replace("{id}", "7").replace("{slug}", "billing")) == route.number

    def test_every_client_calls_routes_of_the_index(self) -> None:
        assert all(numbers <= set(ROUTES) for numbers in CLIENTS.values())
        assert all(all(numbers) for numbers in (PYTHON_03 | PYTHON_04).values())


class TestRoute:
    @pytest.mark.parametrize("route", ROUTES.values(), ids=str)
    def test_answers_as_it_must(self, visits: list[Visit], route: Route) -> None:
        assert visits[route.number - 1].faults == []

    @pytest.mark.parametrize("route", ROUTES.values(), ids=str)
    def test_answers_each_status_that_is_documented_and_no_other(self, visits: list[Visit], route: Route) -> None:
        assert set(visits[route.number - 1].seen.values()) == documented(route) - ELSEWHERE


class TestFilter:
    @pytest.mark.parametrize(("verb", "path"), BY_AGENT)
    def test_by_an_agent_nobody_knows_finds_nothing(self, world: World, verb: str, path: str) -> None:
        world.make("memory")
        asked = {"query": "billing", "agent_id": UNKNOWN}
        reading = verb == "GET"
        answer = world.everything.request(
            verb, path, params=asked if reading else None, json=None if reading else asked
        )
        body = answer.raise_for_status().json()
        assert (body["context"] if "context" in body else body["data"]) in ([], "")

    @pytest.mark.parametrize("name", ["threshold", "min_score"])
    def test_by_score_has_two_names_in_context(self, world: World, name: str) -> None:
        world.make("memory")

        def used(**change: float) -> int:
            answer = world.send("/v1/memories/context", {"query": "who moved the billing service?", **change})
            return int(answer["memories_used"])

        assert used(**{name: 0}) > 0
        assert used(**{name: 1}) == 0


class TestTable:
    def test_stands_in_the_documentation(self, visits: list[Visit]) -> None:
        assert compatibility.PAGE.read_text("utf-8") == compatibility.with_table(visits), "run `make compatibility`"

    def test_shows_what_a_missing_route_answers(self, world: World) -> None:
        missing = Route(3, "GET", "/v1/no-such-route")
        assert visit(missing, world).faults[0] == "good: answered 404, must be 200"
