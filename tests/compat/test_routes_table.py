"""All 65 routes answer as they must, and `docs/compatibility.md` says what they answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from scripts import compatibility
from tests.compat.routes import CLIENTS, PYTHON_03, PYTHON_04, ROUTES, Route, number_of
from tests.compat.tour import STOPS, Visit, World, tour, visit
from tests.live.server import Live


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


class TestTable:
    def test_stands_in_the_documentation(self, visits: list[Visit]) -> None:
        assert compatibility.PAGE.read_text("utf-8") == compatibility.with_table(visits), "run `make compatibility`"

    def test_shows_what_a_missing_route_answers(self, world: World) -> None:
        missing = Route(3, "GET", "/v1/no-such-route")
        assert visit(missing, world).faults[0] == "good: answered 404, must be 200"
