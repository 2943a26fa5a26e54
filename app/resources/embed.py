"""Vectors, `/v1/embed`."""

from typing import Any

from flask.views import MethodView

from app.api import Blueprint
from app.auth import require
from app.schemas.embed import EmbedIn, EmbedOut
from app.state import state

blueprint = Blueprint("embed", __name__, url_prefix="/v1/embed", description="Texts as vectors.")


@blueprint.route("")
class Embed(MethodView):
    @require("read")
    @blueprint.arguments(EmbedIn)
    @blueprint.response(200, EmbedOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Embed a text the way memories and questions are

        Stores nothing and needs only the scope `read`. Equal texts give equal vectors for as long as `model` stays the
        same. 503 while the embedding model does not answer.
        """
        embedder = state().embedder
        if body["prefix"] == "search_query":
            vector = embedder.embed_query(body["text"])
        else:
            vector = embedder.embed_documents([body["text"]])[0]
        return {"embedding": vector.tolist(), "dimension": len(vector), "model": embedder.name}
