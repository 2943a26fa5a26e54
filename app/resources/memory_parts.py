"""Parts of one memory, `/v1/memories/{memory_id}/...`: importance, archive, versions, neighbours, extraction."""

from typing import Any

from flask.views import MethodView

from app.answers import memory_shown, shown
from app.api import Blueprint
from app.auth import principal
from app.pagination import PageArgs, list_of, page, position
from app.schemas.memories import MemoryOut
from app.schemas.memory_parts import ExtractionOut, ImportanceIn, MemoryVersionOut, RelatedArgs, RelatedOut
from app.services.archive import set_archived
from app.services.complete import reextract
from app.services.related import related
from app.services.revise import revise
from app.state import state
from graph.jobs import JobRepository
from graph.labels import NEVER
from graph.memories import MemoryRepository
from graph.memory_history import MemoryHistoryRepository

blueprint = Blueprint("memory parts", __name__, url_prefix="/v1/memories", description="What belongs to one memory.")


def history() -> MemoryHistoryRepository:
    """Return the repository for the caller's tenant."""
    return MemoryHistoryRepository(state().graph, principal())


def version_shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a version as the wire shows it."""
    until = None if row["is_current"] and row["said_until"] >= NEVER else row["said_until"]
    return {**shown(row), "said_until": until}


def extraction_shown(memory_id: str) -> dict[str, Any]:
    """Return how the names of a memory were found."""
    row = MemoryRepository(state().graph, principal()).get(memory_id)
    status = JobRepository(state().graph, principal()).status(memory_id)
    return {
        **{name: row[name] for name in ("extraction_method", "extraction_model", "updated_at")},
        "memory_id": memory_id,
        "status": status["status"],
        "entity_count": status["entity_count"],
        "error": status["error"],
    }


@blueprint.route("/<memory_id>/importance")
class MemoryImportance(MethodView):
    @blueprint.arguments(ImportanceIn)
    @blueprint.response(200, MemoryOut)
    @blueprint.alt_response(404, "NotFoundError")
    def put(self, body: dict[str, Any], memory_id: str) -> dict[str, Any]:
        """Promote or demote a memory; without `tier` the importance decides it

        Without `tier`, 0.8 and more is hot, below 0.4 is cold. The text and its versions stay as they are.
        """
        revise(state(), principal(), memory_id, body)
        return memory_shown(MemoryRepository(state().graph, principal()).get(memory_id))

    patch = put


@blueprint.route("/<memory_id>/archive")
class MemoryArchive(MethodView):
    @blueprint.response(200, MemoryOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, memory_id: str) -> dict[str, Any]:
        """Archive a memory: search and lists leave it out unless asked

        It can still be read by its id and keeps its links. Archiving it again changes nothing.
        """
        return memory_shown(set_archived(state(), principal(), memory_id, True))


@blueprint.route("/<memory_id>/unarchive")
class MemoryUnarchive(MethodView):
    @blueprint.response(200, MemoryOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, memory_id: str) -> dict[str, Any]:
        """Take a memory back out of the archive

        Search and lists show it again. Nothing changes when it was not archived.
        """
        return memory_shown(set_archived(state(), principal(), memory_id, False))


@blueprint.route("/<memory_id>/versions")
class MemoryVersionList(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(MemoryVersionOut))
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], memory_id: str) -> dict[str, Any]:
        """List what a memory says and said, newest first

        The first row is what it says now, under the memory's own id. Each new text makes one; other changes only raise
        its number.
        """
        at, limit = position(args), args["limit"]
        total = history().version_count(memory_id)
        rows = history().versions(memory_id, at.before, at.offset, limit + 1)
        # The cursor's key is the version number; it takes the place of the time in other lists.
        keyed = [{**version_shown(row), "created_at": row["version"]} for row in rows]
        return page(keyed, limit, at, lambda: total)


@blueprint.route("/<memory_id>/versions/<version_id>")
class MemoryVersionItem(MethodView):
    @blueprint.response(200, MemoryVersionOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, memory_id: str, version_id: str) -> dict[str, Any]:
        """Get one version; the memory's own id names what it says now

        404 when the memory has no such version, whichever of the two is missing.
        """
        return version_shown(history().version(memory_id, version_id))


@blueprint.route("/<memory_id>/related")
class MemoryRelated(MethodView):
    @blueprint.arguments(RelatedArgs, location="query")
    @blueprint.response(200, RelatedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], memory_id: str) -> dict[str, Any]:
        """Find memories that stand near one, with the reasons

        Reasons are shared names, neighbours in the session, likeness of the texts, and supersession or derivation; each
        hit lists its own. Nothing is changed.
        """
        found = related(state(), principal(), memory_id, args)
        data = [{"memory": memory_shown(row), "score": score, "reasons": why} for row, score, why in found]
        return {"memory_id": memory_id, "data": data, "total": len(data)}


@blueprint.route("/<memory_id>/extract-entities")
class MemoryExtraction(MethodView):
    @blueprint.response(200, ExtractionOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, memory_id: str) -> dict[str, Any]:
        """Find the names in a memory anew; links made by hand stay

        Done before this answers. Names that are no longer found are untied; a memory whose vector was missing gets it
        as well, so that search finds it.
        """
        reextract(state(), principal(), memory_id)
        return extraction_shown(memory_id)


@blueprint.route("/<memory_id>/extraction-status")
class MemoryExtractionStatus(MethodView):
    @blueprint.response(200, ExtractionOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, memory_id: str) -> dict[str, Any]:
        """Tell how far the extraction of a memory is

        `ready` means that the names are in the graph. `failed` says why in `error`.
        """
        return extraction_shown(memory_id)
