"""The graph of entities, `/v1/entities`: relations, neighbourhoods, paths and topics."""

from typing import Any

import orjson
from flask import Response
from flask.views import MethodView

from app.answers import deleted, shown
from app.api import Blueprint
from app.auth import principal
from app.errors import invalid
from app.ids import new_id
from app.pagination import PageArgs, list_of, page, position
from app.schemas.common import DeletedOut
from app.schemas.entities import (
    EntityPathArgs,
    EntityPathOut,
    EntityRelationCreate,
    EntityRelationOut,
    EntityRelationsArgs,
    EntityRelationsOut,
    NeighborhoodArgs,
    NeighborhoodOut,
    TopicArgs,
    TopicOut,
)
from app.services.entities import resolve
from app.services.neighbourhood import neighbourhood, relations, shortest_path
from app.state import state
from graph.entity_relations import EntityRelationRepository
from graph.topics import TopicRepository

blueprint = Blueprint("entity_graph", __name__, url_prefix="/v1/entities", description="How entities hang together.")


class TopicListArgs(PageArgs, TopicArgs):
    """Query arguments of the list of topics."""


def topics() -> TopicRepository:
    """Return the repository of topics for the caller's tenant."""
    return TopicRepository(state().graph, principal())


@blueprint.route("/<entity_id>/relationships")
class EntityRelations(MethodView):
    @blueprint.arguments(EntityRelationsArgs, location="query")
    @blueprint.response(200, EntityRelationsOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], entity_id: str) -> dict[str, Any]:
        """List an entity's relations: those stated, and those that shared memories imply

        Those that memories imply are the 100 strongest, and cannot be deleted: they follow from the memories.
        """
        return relations(state(), principal(), entity_id, **args)

    @blueprint.arguments(EntityRelationCreate)
    @blueprint.response(201, EntityRelationOut)
    @blueprint.alt_response(200, schema=EntityRelationOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any], entity_id: str) -> tuple[dict[str, Any], int]:
        """State a relation to another entity; 200 when it was stated already

        Stating it again changes weight and metadata where they are given, and makes no second one. 404 when either
        entity is unknown.
        """
        if body["target_id"] == entity_id:
            raise invalid("target_id", "must be another entity")
        metadata = orjson.dumps(body["metadata"]).decode() if "metadata" in body else None
        repository = EntityRelationRepository(state().graph, principal())
        ends = (entity_id, body["target_id"])
        row = repository.state(new_id(), ends, body["relationship_type"], body.get("weight"), metadata)
        return {**shown(row), "source": "stated"}, 201 if row["created"] else 200


@blueprint.route("/<entity_id>/relationships/<relationship_id>")
class EntityRelation(MethodView):
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, entity_id: str, relationship_id: str) -> Response:
        """Take a stated relation back; either of its ends may be named

        404 for one that memories imply, and when it is gone already.
        """
        EntityRelationRepository(state().graph, principal()).unstate(entity_id, relationship_id)
        return deleted("entity_relationship", relationship_id)


@blueprint.route("/<entity_id>/neighborhood")
class EntityNeighborhood(MethodView):
    @blueprint.arguments(NeighborhoodArgs, location="query")
    @blueprint.response(200, NeighborhoodOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], entity_id: str) -> dict[str, Any]:
        """Show the entities around one, and how they are tied

        Goes up to `depth` steps over stated relations and shared memories, and stops at `max_neighbors`: `truncated`
        says so. Work is bounded, so that very common entities are not followed further.
        """
        return neighbourhood(state(), principal(), entity_id, args["depth"], args["max_neighbors"], args.get("as_of"))


@blueprint.route("/paths")
class EntityPaths(MethodView):
    @blueprint.arguments(EntityPathArgs, location="query")
    @blueprint.response(200, EntityPathOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Find the shortest way between two entities, with the memories that justify each step

        No way of at most `max_depth` steps is no error: `found` is false. 404 when either end is unknown.
        """
        source, target = (resolve(state(), principal(), args[end]) for end in ("source", "target"))
        return shortest_path(state(), principal(), source, target, args["max_depth"], args.get("as_of"))


@blueprint.route("/topics")
class TopicList(MethodView):
    @blueprint.arguments(TopicListArgs, location="query")
    @blueprint.response(200, list_of(TopicOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List topics, the largest first: groups of entities that memories mention together

        Workers find topics now and then, so that new memories show up in them later.
        """
        at, limit = position(args), args["limit"]
        first = at.before_seq + 1 if at.before_id else at.offset
        rows = topics().list(first, limit + 1, args["members"])
        return page(rows, limit, at, topics().count, tie="rank")


@blueprint.route("/topics/<topic_id>")
class TopicItem(MethodView):
    @blueprint.arguments(TopicArgs, location="query")
    @blueprint.response(200, TopicOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], topic_id: str) -> dict[str, Any]:
        """Get one topic

        404 when there is no such topic, also because its members came to belong elsewhere.
        """
        return topics().get(topic_id, args["members"])
