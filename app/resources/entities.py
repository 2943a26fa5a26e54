"""Entities, `/v1/entities`: who and what memories mention, their names and their memories."""

from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import deleted, memory_shown, shown
from app.api import Blueprint
from app.auth import principal
from app.ids import new_id
from app.pagination import PageArgs, Position, list_of, page, position
from app.schemas.common import DeletedOut
from app.schemas.entities import (
    EntityAliasesOut,
    EntityAliasIn,
    EntityAliasOut,
    EntityCreate,
    EntityFilter,
    EntityLinkBody,
    EntityLinkCreate,
    EntityLinkOut,
    EntityMemoryOut,
    EntityMergeIn,
    EntityOut,
    EntityUpdate,
    LinkedArgs,
)
from app.services import entities as service
from app.services.neighbourhood import known
from app.services.refer import agent_named
from app.state import state
from graph.entities import EntityRepository
from graph.entity_links import EntityLinkRepository
from graph.entity_moments import PastLinkRepository
from graph.entity_names import EntityNameRepository
from graph.labels import NEVER

blueprint = Blueprint("entities", __name__, url_prefix="/v1/entities", description="Who and what memories mention.")


class EntityListArgs(PageArgs, EntityFilter):
    """Query arguments of the list."""


def entities() -> EntityRepository:
    """Return the repository for the caller's tenant."""
    return EntityRepository(state().graph, principal())


def links() -> EntityLinkRepository:
    """Return the repository of links for the caller's tenant."""
    return EntityLinkRepository(state().graph, principal())


@blueprint.route("")
class EntityList(MethodView):
    @blueprint.arguments(EntityListArgs, location="query")
    @blueprint.response(200, list_of(EntityOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List entities, newest first, or search them by name

        With `q`, the best match comes first and at most 200 are found. An agent nobody has gives an empty list.
        """
        at, limit = position(args), args["limit"]
        agent_id = agent_named(state(), principal(), args.get("agent_id"))
        filters = {"agent_id": agent_id, "entity_type": args.get("entity_type")}
        if "q" in args:
            return _found(args["q"], filters, at, limit)
        rows = entities().list(at.before, at.before_id, at.offset, limit + 1, filters)
        return page([shown(row) for row in rows], limit, at, lambda: entities().count(filters, NEVER))

    @blueprint.arguments(EntityCreate)
    @blueprint.response(201, EntityOut)
    @blueprint.alt_response(200, schema=EntityOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Create an entity; 200 when there is one of that name and type

        Names are compared without case and plural. When it exists already, it is returned as it is: change it with PUT.
        """
        row, created = service.create(state(), principal(), body)
        return shown(row), 201 if created else 200


def _found(q: str, filters: dict[str, Any], at: Position, limit: int) -> dict[str, Any]:
    first = at.before_seq + 1 if at.before_id else at.offset
    ids = service.find(state(), principal(), q, filters)
    places = {id: place for place, id in enumerate(ids)}
    rows = entities().get_many(ids[first : first + limit + 1])
    return page([{**shown(row), "place": places[row["id"]]} for row in rows], limit, at, lambda: len(ids), tie="place")


@blueprint.route("/<entity_id>")
class EntityItem(MethodView):
    @blueprint.response(200, EntityOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, entity_id: str) -> dict[str, Any]:
        """Get one entity

        An entity that was merged into another is gone: 404.
        """
        return shown(entities().get(entity_id))

    @blueprint.arguments(EntityUpdate)
    @blueprint.response(200, EntityOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def put(self, body: dict[str, Any], entity_id: str) -> dict[str, Any]:
        """Change an entity; absent and null fields stay as they are

        The old name stays an alias, so that memories still find it. 409 when another entity of the type has the new
        name.
        """
        return shown(service.edit(state(), principal(), entity_id, body))

    patch = put

    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, entity_id: str) -> Response:
        """Delete an entity with its names and links; the memories stay

        A memory stored later that names it makes a new one. 404 when it is gone already.
        """
        service.delete(state(), principal(), entity_id)
        return deleted("entity", entity_id)


@blueprint.route("/links")
class EntityLinks(MethodView):
    @blueprint.arguments(EntityLinkCreate)
    @blueprint.response(201, EntityLinkOut)
    @blueprint.alt_response(200, schema=EntityLinkOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Tie a memory to an entity; 200 when it is tied already

        For what extraction did not see; extracting anew keeps it. 404 names which of the two is unknown.
        """
        return _link(body["entity_id"], body)


@blueprint.route("/<entity_id>/link")
class EntityLink(MethodView):
    @blueprint.doc(deprecated=True)
    @blueprint.arguments(EntityLinkBody)
    @blueprint.response(201, EntityLinkOut)
    @blueprint.alt_response(200, schema=EntityLinkOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any], entity_id: str) -> tuple[dict[str, Any], int]:
        """Tie a memory to this entity; 200 when it is tied already

        Deprecated: use `/v1/entities/links`, which names the entity in the body and answers the same.
        """
        return _link(entity_id, body)


def _link(entity_id: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    # Two questions, because the answer says which of the two ids is unknown.
    entities().get(entity_id)
    row = links().link(new_id(), entity_id, body["memory_id"], body.get("relationship"))
    return row, 201 if row["created"] else 200


@blueprint.route("/<entity_id>/memories")
class EntityMemories(MethodView):
    @blueprint.arguments(LinkedArgs, location="query")
    @blueprint.response(200, list_of(EntityMemoryOut))
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], entity_id: str) -> dict[str, Any]:
        """List the memories that mention an entity, newest first

        Confidential memories are in it, superseded ones are not; archived ones only with `include_archived`.
        """
        at, limit, archived = position(args), args["limit"], args["include_archived"]
        known(state(), principal(), entity_id, args.get("as_of"))
        linked = links()
        if "as_of" in args:
            linked = PastLinkRepository(state().graph, principal(), args["as_of"])
        rows = linked.memories(entity_id, at.before, at.before_seq, at.offset, limit + 1, archived)
        shown_rows = [memory_shown(row) for row in rows]
        return page(shown_rows, limit, at, lambda: linked.count(entity_id, archived), tie="seq")


@blueprint.route("/<entity_id>/memories/<memory_id>")
class EntityMemory(MethodView):
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, entity_id: str, memory_id: str) -> Response:
        """Untie a memory from an entity; both stay

        Extracting the memory's names anew may tie them again. 404 when it is not tied.
        """
        links().unlink(entity_id, memory_id)
        return deleted("entity_link", memory_id)


@blueprint.route("/<entity_id>/aliases")
class EntityAliases(MethodView):
    @blueprint.response(200, EntityAliasesOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, entity_id: str) -> dict[str, Any]:
        """List the other names of an entity

        Spellings that memories used and names it had before are in it. The present name is not.
        """
        rows = EntityNameRepository(state().graph, principal()).aliases(entity_id)
        return {"data": rows, "total": len(rows)}

    @blueprint.arguments(EntityAliasIn)
    @blueprint.response(201, EntityAliasOut)
    @blueprint.alt_response(200, schema=EntityAliasOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def post(self, body: dict[str, Any], entity_id: str) -> tuple[dict[str, Any], int]:
        """Give an entity another name; 200 when it has it already

        Memories stored from now on that use it mention this entity. 409 when it leads to another entity of the type, or
        when there are 100 already.
        """
        row, created = service.add_alias(state(), principal(), entity_id, body["alias"])
        return row, 201 if created else 200

    @blueprint.arguments(EntityAliasIn, location="query")
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def delete(self, args: dict[str, Any], entity_id: str) -> Response:
        """Take one of its other names from an entity

        Memories that used it stay tied. 409 for the entity's own name: rename the entity instead. 404 when it has no
        such alias.
        """
        service.drop_alias(state(), principal(), entity_id, args["alias"])
        return deleted("alias", args["alias"])


@blueprint.route("/<entity_id>/merge")
class EntityMerge(MethodView):
    @blueprint.arguments(EntityMergeIn)
    @blueprint.response(200, EntityOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any], entity_id: str) -> dict[str, Any]:
        """Merge this entity into another: names, links and relations move, and this one is gone

        There is no way back. The other entity keeps its name, and this one's names become its aliases. 404 names which
        of the two is unknown.
        """
        return shown(service.merge(state(), principal(), entity_id, body["into"]))
