"""Patterns, `/v1/patterns`: solutions worth repeating, and who adopted them."""

from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import deleted, shown
from app.api import Blueprint
from app.auth import principal
from app.errors import invalid
from app.pagination import PageArgs, list_of, page, position
from app.schemas.common import DeletedOut
from app.schemas.patterns import (
    AdopterOut,
    PatternAbandon,
    PatternAdopt,
    PatternCreate,
    PatternFilter,
    PatternOut,
    PatternSearch,
    PatternSearchOut,
    PatternSuggest,
    PatternSuggestOut,
    PatternUpdate,
)
from app.services.forget import delete_pattern
from app.services.patterns import amend, category_key, create, find, suggest
from app.state import state
from graph.patterns import PatternRepository

blueprint = Blueprint("patterns", __name__, url_prefix="/v1/patterns", description="Solutions worth repeating.")


class PatternListArgs(PageArgs, PatternFilter):
    """Query arguments of the list."""


def patterns() -> PatternRepository:
    """Return the repository for the caller's tenant."""
    return PatternRepository(state().graph, principal())


@blueprint.route("")
class PatternList(MethodView):
    @blueprint.arguments(PatternListArgs, location="query")
    @blueprint.response(200, list_of(PatternOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List patterns, newest first

        Conditions add up; a project nobody has gives an empty list.
        """
        at, limit = position(args), args["limit"]
        filters = {
            "scope": args.get("scope"),
            "category": category_key(args.get("category")) or None,
            "project": args.get("project"),
            "tags": args.get("tags", []),
            "every_tag": args["tags_match"] == "all",
        }
        rows = patterns().list(at.before, at.before_id, at.offset, limit + 1, filters)
        return page([shown(row) for row in rows], limit, at, lambda: patterns().count(filters))

    @blueprint.arguments(PatternCreate)
    @blueprint.response(201, PatternOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a pattern

        Equal titles are allowed: look with `search` first. A source project that nobody has registered is kept as text.
        """
        return shown(patterns().get(create(state(), principal(), body)))


@blueprint.route("/search")
class PatternSearchView(MethodView):
    @blueprint.arguments(PatternSearch, location="query")
    @blueprint.response(200, PatternSearchOut)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Find patterns by meaning and by words

        Changes nothing. With `project`, global patterns and those of this project.
        """
        data = [{"pattern": shown(row), "score": score} for row, score in find(state(), principal(), args)]
        return {"data": data, "query": args["query"], "total": len(data)}


@blueprint.route("/suggest")
class PatternSuggestView(MethodView):
    @blueprint.arguments(PatternSuggest, location="query")
    @blueprint.response(200, PatternSuggestOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Suggest patterns that similar projects adopted and this one has not

        Global patterns alone; projects are similar by their links, their patterns and their stack. 404 when the project
        is unknown.
        """
        rows = suggest(state(), principal(), args["project"], args["limit"])
        return {"data": [shown(row) for row in rows], "project": args["project"], "total": len(rows)}


@blueprint.route("/<pattern_id>")
class PatternItem(MethodView):
    @blueprint.response(200, PatternOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, pattern_id: str) -> dict[str, Any]:
        """Get one pattern

        404 when there is none, or when it belongs to another tenant.
        """
        return shown(patterns().get(pattern_id))

    @blueprint.arguments(PatternUpdate)
    @blueprint.response(200, PatternOut)
    @blueprint.alt_response(404, "NotFoundError")
    def put(self, body: dict[str, Any], pattern_id: str) -> dict[str, Any]:
        """Change a pattern; absent and null fields stay as they are

        Adoptions stay. A new text gets a new vector; tags are replaced as a whole.
        """
        amend(state(), principal(), pattern_id, body)
        return shown(patterns().get(pattern_id))

    patch = put

    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, pattern_id: str) -> Response:
        """Delete a pattern with its adoptions

        The projects stay. 404 when it is gone already.
        """
        delete_pattern(state(), principal(), pattern_id)
        return deleted("pattern", pattern_id)


@blueprint.route("/<pattern_id>/adopt")
class PatternAdoption(MethodView):
    @blueprint.arguments(PatternAdopt)
    @blueprint.response(200, PatternOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any], pattern_id: str) -> dict[str, Any]:
        """Adopt a pattern for a project; doing so twice counts once

        404 when the pattern or the project is unknown.
        """
        return shown(patterns().adopt(pattern_id, body["project"]))

    @blueprint.arguments(PatternAbandon, location="query")
    @blueprint.arguments(PatternAbandon)
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, query: dict[str, Any], body: dict[str, Any], pattern_id: str) -> Response:
        """Give up a pattern for a project, named in the query or in the body

        The pattern stays. 404 when the project has not adopted it.
        """
        project = query.get("project") or body.get("project")
        if project is None:
            raise invalid("project", "send the project's slug as `?project=` or in the body")
        patterns().abandon(pattern_id, project)
        return deleted("adoption", pattern_id)


@blueprint.route("/<pattern_id>/adopters")
class PatternAdopters(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(AdopterOut))
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], pattern_id: str) -> dict[str, Any]:
        """List the projects that adopted a pattern, latest first

        404 when the pattern is unknown. Giving it up takes a project off the list.
        """
        at, limit = position(args), args["limit"]
        total = patterns().count_adopters(pattern_id)
        rows = patterns().adopters(pattern_id, at.before, at.before_id, at.offset, limit + 1)
        return page(rows, limit, at, lambda: total)
