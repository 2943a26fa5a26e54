"""Moving a namespace's data, `/v1/transfer`: an export as a stream of lines, and imports as jobs."""

import sys
from collections.abc import Iterator
from typing import Any

from flask import Response, request
from flask.views import MethodView

from app.api import Blueprint
from app.auth import principal, require
from app.errors import invalid
from app.pagination import PageArgs, list_of, page, position
from app.schemas.transfer import ExportArgs, ImportOut
from app.services.transfer.export import Export
from app.services.transfer.form import Place, place_of
from app.services.transfer.uploads import MEGABYTE, accept, shown, too_large
from app.state import state
from graph.imports import ImportRepository

blueprint = Blueprint("transfer", __name__, url_prefix="/v1/transfer", description="Moving all data of a namespace.")

LINES = "application/x-ndjson"
# By hand, because the framework knows of no body here that could be wrong.
REFUSED = {"422": {"$ref": "#/components/responses/Invalid"}}
FILE = {"schema": {"type": "string"}, "example": '{"loci":"export","format":1,"namespace":"default"}\n'}


def imports() -> ImportRepository:
    """Return the repository for the caller's tenant."""
    return ImportRepository(state().graph, principal())


@blueprint.route("/export")
class TransferExport(MethodView):
    @require("admin")
    @blueprint.arguments(ExportArgs, location="query")
    @blueprint.response(200, description="The file, a JSON object a line.")
    @blueprint.doc(responses={"200": {"content": {LINES: FILE}}})
    def get(self, args: dict[str, Any]) -> Response:
        """Stream all data of the key's namespace as JSON lines

        A file that ends without its closing line was cut off: cut it behind its last `mark` and send that as `after`.
        Writers go on meanwhile, and nothing is changed.
        """
        place = read_place(args["after"]) if "after" in args else None
        vectors = bool(place.model) if place else args["vectors"]
        work = Export(state().graph, principal(), state().space, vectors=vectors)
        if place is not None and (reason := work.refusal(place)):
            raise invalid("after", reason)
        header = None if place else work.header(principal().namespace)
        # Proxies that gather answers would hold the stream back until its end.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Response(lines(work, header, place), mimetype=LINES, headers=headers)


@blueprint.route("/imports")
class TransferImports(MethodView):
    @require("admin")
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(ImportOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List imports, newest first

        Those that are over are forgotten after a week.
        """
        at, limit = position(args), args["limit"]
        rows = imports().list(at.before, at.before_id, at.offset, limit + 1)
        return page([shown(row) for row in rows], limit, at, imports().count)

    @require("admin")
    @blueprint.response(202, ImportOut)
    @blueprint.alt_response(413, "TooLarge")
    @blueprint.doc(requestBody={"required": True, "content": {LINES: FILE}}, responses=REFUSED)
    def post(self) -> dict[str, Any]:
        """Import a file of an export into the key's namespace

        What is there already stays as it is; importing a file again changes nothing. A file that was cut off is
        refused at once, a wrong line when it is reached: `fault` then names it, and nothing of its stretch is written.
        """
        # The service counts for itself, and names the setting.
        request.max_content_length = sys.maxsize
        if (request.content_length or 0) > state().settings.import_mb * MEGABYTE:
            raise too_large(state())
        return accept(state(), principal(), request.stream.read)


@blueprint.route("/imports/<import_id>")
class TransferImport(MethodView):
    @require("admin")
    @blueprint.response(200, ImportOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, import_id: str) -> dict[str, Any]:
        """Get an import: how far it is, and what became of it

        `done` of `lines` tells how far; a worker that dies is taken over from where it was.
        """
        return shown(imports().get(import_id))


def read_place(mark: str) -> Place:
    """Return the place of a mark.

    Raises:
        Invalid: it is none.
    """
    try:
        return place_of(mark)
    except ValueError as error:
        raise invalid("after", str(error)) from error


def lines(work: Export, header: dict[str, Any] | None, place: Place | None) -> Iterator[bytes]:
    """Yield the file. A database that goes away ends the connection: the client sees that the file is not whole."""
    for stretch in work.stretches(header, place):
        yield stretch.lines
