"""Projects, `/v1/projects`. A project's slug is its key in paths."""

from typing import Any

import orjson
from flask import Response, request
from flask.views import MethodView

from app.answers import changes, deleted, shown, stored
from app.api import Blueprint
from app.auth import principal
from app.errors import invalid
from app.pagination import PageArgs, list_of, page, position
from app.schemas.common import DeletedOut
from app.schemas.memories import SLUG
from app.schemas.projects import (
    LONGEST_SLUG,
    ProjectContextArgs,
    ProjectContextOut,
    ProjectCreate,
    ProjectDelete,
    ProjectOut,
    ProjectUpdate,
)
from app.services.projects import context, delete_project, register
from app.state import state
from graph.projects import ProjectRepository

blueprint = Blueprint(
    "projects", __name__, url_prefix="/v1/projects", description="What memories, decisions and patterns are about."
)


def projects() -> ProjectRepository:
    """Return the repository for the caller's tenant."""
    return ProjectRepository(state().graph, principal())


@blueprint.before_request
def check_slug() -> None:
    """Refuse a malformed slug in the path before any view runs."""
    slug = (request.view_args or {}).get("slug")
    if slug is not None and (len(slug) > LONGEST_SLUG or not SLUG.regex.match(slug)):
        raise invalid("slug", str(SLUG.error))


def project_shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a project row with its JSON texts opened."""
    return {**shown(row), "stack": orjson.loads(row["stack"] or "{}")}


def _stored(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "stack": orjson.dumps(body["stack"]).decode()} if "stack" in body else body


@blueprint.route("")
class ProjectList(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(ProjectOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List projects, newest first

        Projects that were only named by a memory are in it too.
        """
        at, limit = position(args), args["limit"]
        rows = projects().list(at.before, at.before_id, at.offset, limit + 1)
        return page([project_shown(row) for row in rows], limit, at, projects().count)

    @blueprint.arguments(ProjectCreate)
    @blueprint.response(201, ProjectOut)
    @blueprint.alt_response(409, "ConflictError")
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Register a project

        One that a memory named first keeps its memories and gets the rest now. 409 when somebody has registered the
        slug already.
        """
        return project_shown(register(state(), principal(), stored(_stored(body))))


@blueprint.route("/<slug>")
class ProjectItem(MethodView):
    @blueprint.response(200, ProjectOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, slug: str) -> dict[str, Any]:
        """Get one project

        404 when nobody has registered or named it.
        """
        return project_shown(projects().get(slug))

    @blueprint.arguments(ProjectUpdate)
    @blueprint.response(200, ProjectOut)
    @blueprint.alt_response(404, "NotFoundError")
    def put(self, body: dict[str, Any], slug: str) -> dict[str, Any]:
        """Change a project; absent and null fields stay as they are

        The slug cannot change: others keep it as a key. `stack` is replaced, metadata merged key by key.
        """
        if body.pop("slug", slug) != slug:
            raise invalid("slug", "cannot change: others keep it as a key; register a new project instead")
        return project_shown(projects().update(slug, changes(_stored(body))))

    patch = put

    @blueprint.arguments(ProjectDelete, location="query")
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, args: dict[str, Any], slug: str) -> Response:
        """Delete a project; its memories stay unless `memories=delete`

        Its links to other projects go; decisions and patterns stay without it. 404 when it is gone already.
        """
        delete_project(state(), principal(), slug, args["memories"] == "delete")
        return deleted("project", slug)


@blueprint.route("/<slug>/context")
class ProjectContext(MethodView):
    @blueprint.arguments(ProjectContextArgs, location="query")
    @blueprint.response(200, ProjectContextOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], slug: str) -> dict[str, Any]:
        """Get what to know before working on a project

        The same as lists and as Markdown for a prompt. Confidential memories are left out. With `as_of` it is what
        there was to know then; 404 when the project came later.
        """
        found = context(state(), principal(), slug, args["max_tokens"], args.get("as_of"))
        blocks = [block.shown(args["block_texts"] or block.kind == "entities") for block in found["blocks"]]
        return {**found, "blocks": blocks}
