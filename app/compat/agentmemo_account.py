"""AgentMemo beside its memories: usage of a key, making keys, and how the server is."""

from datetime import UTC, datetime
from typing import Any

import app
from app.auth import principal, require
from app.clock import now_ms
from app.compat import agentmemo_form as form
from app.compat.agentmemo import DIALECT, base_url
from app.compat.agentmemo_schemas import KeyWanted, SignUp, Usage
from app.compat.frame import ANY_TYPE_PARSER, Blueprint, body_of, count_sign_up, iso_ms, query_of, wrote
from app.errors import Forbidden
from app.scopes import ANY
from app.services.health import database_answers
from app.services.keys import key_for, key_of
from app.services.usage import report
from app.state import state

Row = dict[str, Any]

DAY_MS = 86_400_000
WINDOW_DAYS = 30
blueprint = Blueprint("agentmemo account", __name__, prefix=DIALECT.prefix)
public = Blueprint("agentmemo public", __name__, prefix=DIALECT.prefix, access="public")


def counted(since: int, until: int, group_by: str = "day") -> Row:
    """Return the usage of the caller's key from one time to another, both in epoch ms, by whole days (UTC)."""
    wanted = {"since": since, "until": until, "group_by": group_by, "key_id": principal().key_id}
    return report(state(), principal(), wanted)


@blueprint.get("/usage")
@require(ANY)
def usage() -> Row:
    """Count what the key did, by route and by day"""
    asked, now = query_of(Usage), now_ms()
    since, until = asked.get("since", now - WINDOW_DAYS * DAY_MS), asked.get("until", now)
    routes = counted(since, until, "route")
    days = counted(now - (asked["days"] - 1) * DAY_MS, now)["data"]
    month, following = months(now)
    total = routes["total"]
    return {
        "api_key_id": form.public_id(principal().key_id),
        "name": key_of(state(), principal().account, principal().key_id)["name"] or "",
        "window": {"from": since, "to": until},
        "totals": {
            **sums(total),
            "errors": total["client_errors"] + total["server_errors"],
            "avg_latency_ms": round(total["mean_ms"]),
        },
        "by_route": [
            {"route": row["route"].replace(f" {DIALECT.prefix}/", " /"), **sums(row)} for row in routes["data"]
        ],
        "daily": [{"day": row["day"], **sums(row)} for row in days],
        "used": counted(month, now)["total"]["requests"],
        "limit": None,
        "remaining": None,
        "reset_date": following,
        "unlimited": True,
    }


def sums(row: Row) -> dict[str, int]:
    """Return requests and tokens of a sum; there are none where nothing was counted."""
    return {name: row[name] or 0 for name in ("requests", "tokens")}


def months(now: int) -> tuple[int, int]:
    """Return when the month of a time began and when the next one does (UTC, epoch ms)."""
    began = datetime.fromtimestamp(now / 1000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    later = began.replace(year=began.year + began.month // 12, month=began.month % 12 + 1)
    return int(began.timestamp() * 1000), int(later.timestamp() * 1000)


@blueprint.post("/auth/keys")
@require("admin")
def mint() -> tuple[Row, int]:
    """Make a key, with a namespace of its own; needs a key with the scope `admin`"""
    asked = body_of(KeyWanted, ANY_TYPE_PARSER)
    scopes = [scope for name in asked["scopes"] for scope in DIALECT.scope_names[name]]
    wanted = {"name": asked["name"], "scopes": scopes}
    key, row = key_for(state(), principal().account, asked.get("namespace"), wanted, DIALECT)
    told = {name: asked[name] for name in ("name", "owner", "scopes", "tier")}
    return {"id": form.public_id(wrote(row["id"])), "key": key, **told, "created_at": row["created_at"]}, 201


@public.post("/signup")
def sign_up() -> tuple[Row, int]:
    """Make a key, with a namespace of its own, where the server lets anybody do that"""
    asked = body_of(SignUp, ANY_TYPE_PARSER)
    if not state().settings.signup:
        raise Forbidden("Nobody can sign up here: LOCI_SIGNUP is off; ask for a key, or make one with `loci keys`")
    count_sign_up()
    key, row = key_for(state(), None, None, {**asked, "scopes": DIALECT.scopes}, DIALECT)
    return {
        "id": form.public_id(row["id"]),
        "api_key": key,
        "tier": "free",
        "limit": None,
        "scopes": ["read", "write"],
        "upgrade_url": None,
        "upgrade_via_mcp": None,
        "docs": f"{base_url()}/llms.txt",
        "mcp": f"{base_url()}/mcp",
        "created_at": row["created_at"],
    }, 201


@public.get("/health")
def health() -> tuple[Row, int]:
    """Say whether the server works"""
    if database_answers(state()):
        return {"status": "healthy", "db": "ok"}, 200
    return {"status": "degraded", "db": "error"}, 503


@public.get("/status.json")
def status() -> Row:
    """Say which parts of the server work, and since when"""
    now, began = now_ms(), state().started_ms
    up = database_answers(state())
    return {
        "status": "operational" if up else "degraded",
        "checked_at": iso_ms(now),
        "live_since": iso_ms(began),
        "uptime_days": max(0, now - began) // DAY_MS,
        "components": {
            "api": "operational",
            "database": "operational" if up else "down",
            "ai_embeddings": "unchecked",
            "cache": "none",
        },
        "version": app.__version__,
    }
