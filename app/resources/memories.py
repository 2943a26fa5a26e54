"""Memories, `/v1/memories`: store, list, get, edit, delete, search, batch."""

from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import deleted, memory_shown
from app.api import Blueprint
from app.auth import principal, require
from app.pagination import PageArgs, list_of, page, position
from app.schemas.common import DeletedOut
from app.schemas.memories import (
    BatchCreate,
    BatchOut,
    MemoryCreate,
    MemoryFilter,
    MemoryOut,
    MemoryUpdate,
)
from app.schemas.moments import AsOfArgs
from app.schemas.search import SearchIn, SearchOut
from app.services.batch import remember_each
from app.services.forget import delete_memory
from app.services.listing import Listing
from app.services.recall import search
from app.services.remember import remember
from app.services.revise import revise
from app.state import state
from graph.memories import MemoryRepository
from graph.moments import MomentRepository

blueprint = Blueprint("memories", __name__, url_prefix="/v1/memories", description="What agents have learnt.")


class MemoryListArgs(PageArgs, MemoryFilter, AsOfArgs):
    """Query arguments of the list."""


def memories() -> MemoryRepository:
    """Return the repository for the caller's tenant."""
    return MemoryRepository(state().graph, principal(), slot=state().space.slot)


@blueprint.route("")
class MemoryList(MethodView):
    @blueprint.arguments(MemoryListArgs, location="query")
    @blueprint.response(200, list_of(MemoryOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List memories, newest first

        Archived and superseded memories are left out unless asked for. Conditions add up; an agent, project or session
        that nobody has gives an empty list. With `as_of` it is the list of that moment, each memory as it was then.
        """
        at, limit = position(args), args["limit"]
        listing = Listing(state(), principal(), args)
        shown = [memory_shown(row) for row in listing.rows(at, limit + 1)]
        return page(shown, limit, at, listing.count, tie="seq")

    @blueprint.arguments(MemoryCreate)
    @blueprint.response(201, MemoryOut)
    @blueprint.alt_response(200, schema=MemoryOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def post(self, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Store a memory; 200 when `deduplicate` met an equal one

        An agent name or project slug not seen before is created; an agent or project id must exist (404), a session too
        (400). Search finds the memory as soon as this answers. With `supersedes` the older memory leaves search and
        lists; 409 when it was replaced before. 403 `quota_exceeded` when the tenant is full.
        """
        kept = remember(state(), principal(), [body])[0]
        return memory_shown(memories().get(kept.id), kept.is_duplicate), 200 if kept.is_duplicate else 201


@blueprint.route("/search")
class MemorySearch(MethodView):
    @require("read")
    @blueprint.arguments(SearchIn)
    @blueprint.response(200, SearchOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Find memories by meaning, by words and by what they have in common

        Changes nothing and needs only the scope `read`. Scores mean the same for every question, so `min_score` can
        stay fixed; when nothing is that close, `data` is empty. Confidential and archived memories are left out unless
        asked for.
        """
        found = search(state(), principal(), body)
        data = [
            {
                "memory": memory_shown(hit.memory),
                "score": hit.score,
                "distance": round(1 - hit.score, 6),
                "confidence": hit.confidence,
                **({} if hit.explanation is None else {"explanation": hit.explanation}),
            }
            for hit in found.hits
        ]
        answer = {"query": body["query"], "data": data, "no_relevant_memory": found.no_relevant_memory}
        more = {"explanation": found.explanation, "linked": found.linked}
        return {**answer, **{name: value for name, value in more.items() if value is not None}}


@blueprint.route("/batch")
class MemoryBatch(MethodView):
    @blueprint.arguments(BatchCreate)
    @blueprint.response(200, BatchOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Store up to 100 memories; a bad one does not fail the others

        Answers 200 even when items failed: look at `success` and at each result. Good items are stored together in one
        transaction; send the failed ones again by themselves.
        """
        return remember_each(state(), principal(), body)


@blueprint.route("/<memory_id>")
class MemoryItem(MethodView):
    @blueprint.arguments(AsOfArgs, location="query")
    @blueprint.response(200, MemoryOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], memory_id: str) -> dict[str, Any]:
        """Get one memory, as it is or as it was

        Confidential, archived and superseded memories are returned too. 404 also when it has expired or belongs to
        another tenant.
        """
        if "as_of" in args:
            return memory_shown(MomentRepository(state().graph, principal(), args["as_of"]).get(memory_id))
        return memory_shown(memories().get(memory_id))

    @blueprint.arguments(MemoryUpdate)
    @blueprint.response(200, MemoryOut)
    @blueprint.alt_response(404, "NotFoundError")
    def put(self, body: dict[str, Any], memory_id: str) -> dict[str, Any]:
        """Change a memory; absent and null fields stay as they are

        A new `content` gets a new vector and new names, and the old text is kept as a version. Metadata is merged key
        by key; a null value removes its key.
        """
        revise(state(), principal(), memory_id, body)
        return memory_shown(memories().get(memory_id))

    patch = put

    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, memory_id: str) -> Response:
        """Delete a memory for good

        Its versions and links go with it; entities it mentioned stay. 404 when it is gone already.
        """
        delete_memory(state(), principal(), memory_id)
        return deleted("memory", memory_id)
