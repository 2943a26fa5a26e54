"""The names in a text, by whatever the tenant has chosen to find them with."""

import time
from dataclasses import dataclass

from structlog import get_logger

from app.services.extract import Extraction, KnownNames
from app.services.extractors import Method
from app.state import State
from graph.errors import GraphError
from graph.extraction import ExtractionKeyRepository
from graph.records import Row
from graph.repository import Tenanted

log = get_logger()

USED_SECONDS = 60.0


@dataclass(frozen=True)
class Found:
    """What extraction found, and how; `error` says in a word why a model's answer was not used."""

    extraction: Extraction
    method: Method

    @property
    def props(self) -> Row:
        """What the memory keeps of it."""
        return {
            "extraction_method": self.method,
            "extraction_model": self.extraction.extraction_model if self.method != "rules" else None,
            "extraction_status": "ready",
            "extraction_error": None,
        }


def extracted(parts: State, caller: Tenanted, text: str, title: str | None, known: KnownNames | None = None) -> Found:
    """Return the names in a text by what the tenant has chosen; the rules answer where a model does not."""
    chosen = parts.extractors.of(parts, caller)
    known = known or parts.names.of(parts.graph, caller.tenant)
    extraction = chosen.extractor.extract(text, title, known)
    by_model = extraction.extraction_method == "llm"
    if extraction.error:
        log.warning("extraction_by_rules", tenant=caller.tenant, reason=extraction.error)
    if chosen.key_id and time.monotonic() - chosen.noted > USED_SECONDS:
        chosen.noted = time.monotonic()
        _note_use(parts, caller, chosen.key_id, worked=by_model)
    return Found(extraction, chosen.method if by_model else "rules")


def _note_use(parts: State, caller: Tenanted, key_id: str, *, worked: bool) -> None:
    try:
        ExtractionKeyRepository(parts.graph, caller).used(key_id, worked=worked)
    except GraphError as error:
        log.warning("extraction_key_use_not_noted", reason=type(error).__name__)
