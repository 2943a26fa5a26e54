"""Which extractor a tenant's memories go through: the key it brought, the server's chat model, or the rules."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from structlog import get_logger

from app.crypto import SealBroken
from app.outbound import guarded_client
from app.services.extract import LlmExtractor, RulesExtractor, SupportsExtract
from graph.extraction import ExtractionKeyRepository
from graph.records import Row
from graph.repository import Tenanted

if TYPE_CHECKING:
    from app.state import State

log = get_logger()

Method = Literal["rules", "llm", "byok"]
SEALED_FIELD = "api_key"
FRESH_SECONDS = 5.0
MOST_TENANTS = 256
# Where a provider's OpenAI-compatible interface is; the others have no address of their own.
ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
}
RULES = RulesExtractor()


@dataclass
class Chosen:
    """An extractor as a tenant has it now; `key_id` names the tenant's own key."""

    extractor: SupportsExtract
    method: Method
    key_id: str = ""
    stamp: int = 0
    until: float = 0.0
    noted: float = 0.0


class Extractors:
    """The extractor of each tenant, asked for anew every few seconds. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Chosen] = OrderedDict()
        self._servers: LlmExtractor | None = None

    def of(self, parts: "State", caller: Tenanted) -> Chosen:
        """Return what a tenant's texts go through now."""
        now = time.monotonic()
        with self._lock:
            held = self._held.get(caller.tenant)
            if held is not None and held.until > now:
                return held
        row = ExtractionKeyRepository(parts.graph, caller).active()
        made = self._made(parts, caller, row, held)
        made.until = now + FRESH_SECONDS
        with self._lock:
            self._held[caller.tenant] = made
            self._held.move_to_end(caller.tenant)
            while len(self._held) > MOST_TENANTS:
                self._held.popitem(last=False)
        return made

    def forget(self, tenant: str) -> None:
        """Ask anew next time."""
        with self._lock:
            self._held.pop(tenant, None)

    def _made(self, parts: "State", caller: Tenanted, row: Row | None, held: Chosen | None) -> Chosen:
        if row is not None:
            if held is not None and held.key_id == row["id"] and held.stamp == row["updated_at"]:
                return held
            try:
                return Chosen(byok(parts, caller, row), "byok", row["id"], row["updated_at"])
            except SealBroken as error:
                log.error("extraction_key_unreadable", key_id=row["id"], reason=str(error))
        if not parts.settings.llm_model:
            return Chosen(RULES, "rules")
        with self._lock:
            self._servers = self._servers or servers_own(parts)
            return Chosen(self._servers, "llm")


def servers_own(parts: "State") -> LlmExtractor:
    """Return extraction by the chat model of the settings; its address is the operator's own choice."""
    settings = parts.settings
    return LlmExtractor(
        model=settings.llm_model,
        api_key=settings.openai_api_key or "none",
        base_url=settings.openai_base_url or None,
        timeout=settings.llm_timeout,
    )


def byok(parts: "State", caller: Tenanted, row: Row) -> LlmExtractor:
    """Return extraction by a tenant's own key; its address is checked whenever it connects.

    Raises:
        SealBroken: the key cannot be read here.
    """
    settings = parts.settings
    return LlmExtractor(
        model=row["model"],
        api_key=parts.vault.open(row["sealed"], caller.tenant, row["id"], SEALED_FIELD),
        base_url=row["base_url"] or ADDRESSES.get(row["provider"]),
        timeout=settings.llm_timeout,
        client=guarded_client(settings.outbound_networks, seconds=settings.llm_timeout),
    )
