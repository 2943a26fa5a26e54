"""A tenant's memories as a service sees them: store some, ask for some. No HTTP between."""

import dataclasses
import uuid
from typing import Any

from app.auth import Principal
from app.embeddings.hashing import HashingEmbedder
from app.ids import new_id
from app.schemas.memories import MemoryCreate
from app.schemas.search import SearchIn
from app.services.recall import Hit, search
from app.services.remember import remember
from app.state import State
from graph.agents import AgentRepository
from graph.sessions import SessionRepository

SYNONYMS = {"feline": "cat", "kitten": "cat", "automobile": "car"}


class Meaning(HashingEmbedder):
    """The hashing embedder, to which some words mean the same."""

    def _embed(self, text: str) -> Any:
        return super()._embed(" ".join(SYNONYMS.get(word, word) for word in text.lower().split()))


@dataclasses.dataclass(frozen=True)
class Notebook:
    """One tenant's memories: store some, ask for some."""

    parts: State
    caller: Principal

    def store(self, *contents: str, **fields: Any) -> list[str]:
        """Store texts and return their ids."""
        bodies = [MemoryCreate().load({"agent_id": "iris", "content": text, **fields}) for text in contents]
        return [stored.id for stored in remember(self.parts, self.caller, bodies)]

    def session(self) -> str:
        """Return the id of a new session."""
        sessions = SessionRepository(self.parts.graph, self.caller)
        props = {"external_id": None, "project": None, "title": None, "metadata": "{}"}
        return str(sessions.create(new_id(), None, props)["id"])

    def hits(self, query: str, **fields: Any) -> list[Hit]:
        """Search and return the hits."""
        return search(self.parts, self.caller, SearchIn().load({"query": query, **fields})).hits

    def ask(self, query: str, **fields: Any) -> list[str]:
        """Search and return the texts found."""
        return [hit.memory["content"] for hit in self.hits(query, **fields)]

    def agent(self, name: str = "iris") -> str:
        """Return an agent's id."""
        return AgentRepository(self.parts.graph, self.caller).named(name)


def notebook_of(parts: State) -> Notebook:
    """Return the notebook of a fresh tenant."""
    tenant = str(uuid.uuid4())
    return Notebook(parts, Principal(tenant, "account", "default", "key", frozenset({"read", "write"})))
