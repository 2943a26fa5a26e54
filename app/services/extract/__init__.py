"""Entities in a text, without a language model: names, addresses, code, dates, and the names the tenant already has."""

from .keys import name_key
from .known import KnownHit, KnownNames
from .llm import Extraction, LlmExtractor, RulesExtractor, SupportsExtract
from .mention import ENTITY_TYPES, EntityType, Mention, is_date_key
from .rules import MAX_MENTIONS, extract

__all__ = [
    "ENTITY_TYPES",
    "MAX_MENTIONS",
    "EntityType",
    "Extraction",
    "KnownHit",
    "KnownNames",
    "LlmExtractor",
    "Mention",
    "RulesExtractor",
    "SupportsExtract",
    "extract",
    "is_date_key",
    "name_key",
]
