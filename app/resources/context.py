"""Context for prompts: `/v1/memories/context` as a text, `/v2/context/build` as a list."""

import time
from typing import Any

from flask.views import MethodView

from app.api import Blueprint
from app.auth import principal, require
from app.schemas.context import ContextBuildIn, ContextBuildOut, ContextIn, ContextOut
from app.services.context import as_text, chosen_model, extra_characters, fitted, found, in_blocks, summary, tokens_in
from app.state import state

blueprint = Blueprint("context", __name__, description="What a prompt should know.")

RANKING = "v1"


@blueprint.route("/v1/memories/context")
class MemoryContext(MethodView):
    @require("read")
    @blueprint.arguments(ContextIn)
    @blueprint.response(200, ContextOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Build a text for a prompt from the best memories

        Changes nothing and needs only the scope `read`. The text can go into a prompt as it is; it is empty when
        nothing scores `threshold` or more.
        """
        hits = found(state(), principal(), body, body["limit"])
        pieces = fitted(hits, body.get("max_tokens"), extra_characters())
        text = as_text(pieces)
        return {
            "context": text,
            "memories_used": len(pieces),
            "total_chars": len(text),
            "token_count": tokens_in(len(text)),
            "sources": [
                {
                    "memory_id": piece.hit.memory["id"],
                    "score": piece.hit.score,
                    "chars": len(piece.text),
                    "truncated": piece.truncated,
                }
                for piece in pieces
            ],
            "blocks": [block.shown() for block in in_blocks(state(), principal(), hits, body)],
        }


def built(body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a loaded `ContextBuildIn` body."""
    started = time.perf_counter()
    model = chosen_model(state(), principal(), body) if body["ai_enhanced"] else None
    hits = found(state(), principal(), body, body["max_memories"])
    pieces = fitted(hits, body.get("max_tokens"))
    told = summary(model, body["query"], pieces) if model else None
    blocks = in_blocks(state(), principal(), hits, body)
    return {
        "context": [
            {
                "memory_id": piece.hit.memory["id"],
                "content": piece.text,
                "score": piece.hit.score,
                "memory_type": piece.hit.memory["memory_type"],
                "agent_id": piece.hit.memory["agent_id"],
                "truncated": piece.truncated,
            }
            for piece in pieces
        ],
        "summary": told,
        "token_count": tokens_in(sum(len(piece.text) for piece in pieces)),
        "ranking_version": RANKING,
        "ai_enhanced": told is not None,
        "blocks": [block.shown(body["block_texts"] or block.kind != "memories") for block in blocks],
        "latency_ms": round(1000 * (time.perf_counter() - started)),
    }


@blueprint.route("/v2/context/build")
class ContextBuild(MethodView):
    @require("read")
    @blueprint.arguments(ContextBuildIn)
    @blueprint.response(200, ContextBuildOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Choose the memories that a prompt should know, best first

        Changes nothing and needs only the scope `read`. Contents are cut at a word to fit `max_tokens`. A summary is
        made only with `ai_enhanced` and a chat model; when that fails, `summary` is null and the rest is as ever.
        """
        return built(body)


@blueprint.route("/v2/context")
class ContextBuildAlias(MethodView):
    @require("read")
    @blueprint.doc(deprecated=True)
    @blueprint.arguments(ContextBuildIn)
    @blueprint.response(200, ContextBuildOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """The same as `/v2/context/build`, for older clients

        Deprecated: use `/v2/context/build`, which takes and answers the same.
        """
        return built(body)
