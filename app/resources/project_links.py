"""What projects are to one another, below `/v1/projects`, and what follows from it."""

from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import deleted, shown, stored
from app.api import Blueprint
from app.auth import principal, require
from app.errors import invalid
from app.ids import new_id
from app.pagination import PageArgs, list_of, page, position
from app.resources.projects import check_slug, projects
from app.schemas.common import DeletedOut
from app.schemas.project_links import (
    LinkedProjectsOut,
    ProjectImpactIn,
    ProjectImpactOut,
    RelationshipCreate,
    RelationshipOut,
    SharedArgs,
    SharedPatternsOut,
    WalkArgs,
)
from app.services.project_impact import project_impact
from app.state import state
from graph.errors import NotFound
from graph.project_links import ProjectLinkRepository, Start

blueprint = Blueprint(
    "project_links", __name__, url_prefix="/v1/projects", description="What projects are to one another."
)
blueprint.before_request(check_slug)

MOST_SHARED = 100


def links() -> ProjectLinkRepository:
    """Return the repository for the caller's tenant."""
    return ProjectLinkRepository(state().graph, principal())


@blueprint.route("/<slug>/relationships")
class ProjectRelationshipList(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(RelationshipOut))
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], slug: str) -> dict[str, Any]:
        """List a project's links in both directions, newest first

        `direction` is seen from this project. 404 when the project is unknown.
        """
        at, limit = position(args), args["limit"]
        projects().by_slug(slug)
        rows = links().list(slug, at.before, at.before_id, at.offset, limit + 1)
        return page([shown(row) for row in rows], limit, at, lambda: links().count(slug))

    @blueprint.arguments(RelationshipCreate)
    @blueprint.response(201, RelationshipOut)
    @blueprint.alt_response(200, schema=RelationshipOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any], slug: str) -> tuple[dict[str, Any], int]:
        """Link a project to another; 200 when they are linked so already

        One link for each kind and direction. 404 when either project is unknown.
        """
        target = body["target_project"]
        projects().by_slug(slug)
        if target == slug:
            raise invalid("target_project", "must be another project than the one in the path")
        kind, metadata = body["relationship_type"].strip(), stored(body)["metadata"]
        made = links().create(slug, target, kind, metadata, new_id())
        if made is None:
            raise NotFound("Target project")
        row, new = made
        return {**shown(row), "direction": "outgoing"}, 201 if new else 200


@blueprint.route("/<slug>/relationships/<relationship_id>")
class ProjectRelationshipItem(MethodView):
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, slug: str, relationship_id: str) -> Response:
        """Delete a link, from either end

        Both projects stay. 404 when they have no such link.
        """
        projects().by_slug(slug)
        links().delete(slug, relationship_id)
        return deleted("relationship", relationship_id)


@blueprint.route("/<slug>/dependencies")
class ProjectDependencies(MethodView):
    @blueprint.arguments(WalkArgs, location="query")
    @blueprint.response(200, LinkedProjectsOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], slug: str) -> dict[str, Any]:
        """List what a project depends on (`depends_on`, `api_consumer`)

        With `transitive`, also what those depend on; cycles are followed once. `data` ends at about 1,000.
        """
        return linked(slug, "outgoing", links().dependencies(start(slug), args["transitive"]))


@blueprint.route("/<slug>/dependents")
class ProjectDependents(MethodView):
    @blueprint.arguments(WalkArgs, location="query")
    @blueprint.response(200, LinkedProjectsOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], slug: str) -> dict[str, Any]:
        """List what depends on a project (`depends_on`, `api_consumer`)

        With `transitive`, also what depends on those; cycles are followed once. `data` ends at about 1,000.
        """
        return linked(slug, "incoming", links().dependents(start(slug), args["transitive"]))


@blueprint.route("/<slug>/related")
class ProjectRelated(MethodView):
    @blueprint.response(200, LinkedProjectsOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, slug: str) -> dict[str, Any]:
        """List every project linked to one, with the kind and direction of the link

        Direct links of every kind. 404 when the project is unknown.
        """
        rows = links().related(start(slug))
        return linked(slug, "", [{**row, "depth": 1, "path": [slug, row["slug"]]} for row in rows])


@blueprint.route("/impact-analysis")
class ProjectImpact(MethodView):
    @require("read")
    @blueprint.arguments(ProjectImpactIn)
    @blueprint.response(200, ProjectImpactOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Find what a change to a project may touch in those that depend on it

        Changes nothing and needs only the scope `read`. The nearest 25 projects come with the decisions and memories
        that the description may touch.
        """
        return project_impact(state(), principal(), body)


@blueprint.route("/shared-patterns")
class ProjectSharedPatterns(MethodView):
    @blueprint.arguments(SharedArgs, location="query")
    @blueprint.response(200, SharedPatternsOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List the patterns that two projects have both adopted

        404 when either project is unknown. Two projects without a common pattern give an empty list.
        """
        a, b = projects().by_slug(args["a"]), projects().by_slug(args["b"])
        rows = [shown(row) for row in links().shared_patterns(a["id"], b["id"], MOST_SHARED)]
        return {"project_a": a["slug"], "project_b": b["slug"], "data": rows, "total": len(rows)}


def start(slug: str) -> Start:
    """Return where a walk begins.

    Raises:
        NotFound: no such project.
    """
    return Start(**projects().by_slug(slug))


def linked(slug: str, direction: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the answer for linked projects; `direction` stands where a row does not say."""
    data = [{"direction": direction, **shown(row)} for row in rows]
    return {"project": slug, "data": data, "total": len(data)}
