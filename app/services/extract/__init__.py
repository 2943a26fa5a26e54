"""Entities in a text, without a language model: names, addresses, code, dates, and the names the tenant already has."""

from .keys import name_key
from .known import KnownHit, KnownNames
from .mention import ENTITY_TYPES, EntityType, Mention, is_date_key
from .rules import MAX_MENTIONS, extract

__all__ = [
    "ENTITY_TYPES",
    "MAX_MENTIONS",
    "EntityType",
    "KnownHit",
    "KnownNames",
    "Mention",
    "extract",
    "is_date_key",
    "name_key",
]
