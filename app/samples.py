"""What the API document shows as an example of a field: its own `example`, else one found here.

Fields carry their own where a realistic value tells something; what is left follows from what a field is (its choices,
its default, its type) or from its name, so that the same thing looks the same wherever it appears.
"""

from hashlib import sha256
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, missing

from app.schemas.common import Schema as Input

NOTHING: Any = object()

# By name, because a field of this name means the same in every noun.
BY_NAME: dict[str, Any] = {
    "agent_id": "iris",
    "category": "reliability",
    "content": "Deploys of billing happen on Tuesdays",
    "cursor": "WzE3NzM2NTUyMDAwMDAsImFnZW50LTQyIiw0Ml0",
    "next_cursor": "WzE3NzM2NTUyMDAwMDAsImFnZW50LTQyIiw0Ml0",
    "external_id": "repo:billing:2026-03-20",
    "extraction_model": "small-1",
    "key_prefix": "mem_prod_7c1",
    "metadata": {"source": "runbook"},
    "metadata_filter": {"source": "runbook"},
    "name": "Billing",
    "project": "billing",
    "project_slug": "billing",
    "query": "when do we deploy?",
    "rationale": "One transaction boundary, no extra broker to run",
    "repo_url": "https://git.example.com/acme/billing",
    "request_id": "req_3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90",
    "slug": "billing",
    "summary": "Billing moved to PostgreSQL; deploys stay on Tuesdays",
    "tags": ["queue", "storage"],
    "target_project": "ledger",
    "user_id": "customer-4711",
}


def sample(field: fields.Field[Any], shown: dict[str, Any]) -> Any:
    """Return an example for a field that is documented as `shown`, or `NOTHING` where it must be written by hand."""
    name = field.name or ""
    if isinstance(field, fields.Constant):
        return field.constant
    if shown.get("format") == "uuid":
        return uuid_of(noun_of(field))
    if isinstance(field, fields.List):
        inner = shown.get("items", {}).get("example", NOTHING)
        return BY_NAME.get(name, NOTHING if inner is NOTHING else [inner])
    default = shown.get("default")
    if default is not None and field.load_default is not missing:
        return default
    if "enum" in shown:
        return shown["enum"][0]
    if isinstance(field, fields.Boolean):
        # A client that sends a flag wants it; an answer tells of the usual case.
        return isinstance(field.root, Input)
    return BY_NAME.get(name, NOTHING)


def uuid_of(noun: str) -> str:
    """Return the UUID that stands for a thing of this kind throughout the document."""
    return str(UUID(bytes=sha256(noun.encode()).digest()[:16], version=4))


def noun_of(field: fields.Field[Any]) -> str:
    """Return what an id is the id of: `memory` for `memory_id`, and for the `id` of a memory."""
    if field.name and field.name != "id":
        return field.name.removesuffix("s").removesuffix("_id")
    schema = field.parent
    kind = schema.fields.get("object") if isinstance(schema, Schema) else None
    if isinstance(kind, fields.Constant):
        return str(kind.constant)
    return type(schema).__name__.removesuffix("Out").lower()
