"""What one API process holds: built once by `create_app`, reached from anywhere inside a request."""

from dataclasses import dataclass, field
from typing import cast

from flask import current_app, g

from app.config import Settings
from app.crypto import Vault
from app.embeddings import Embedder
from app.ledger import Ledger
from app.services.extractors import Extractors
from app.services.known_names import NameCache
from app.services.words import WordCounts
from app.slots import Slots
from graph.driver import Graph
from graph.migrations import Space
from graph.sequences import Sequence


@dataclass
class State:
    """The parts that resources and services share.

    Model and slot go together: where they change (`app.space_watch`), there is a new state with both.
    `pepper` keys the digests of API keys (64 hex digits); `vault` seals the secrets that must be read again.
    """

    settings: Settings
    graph: Graph
    embedder: Embedder
    space: Space
    pepper: str
    vault: Vault
    started_ms: int
    sequence: Sequence
    words: WordCounts = field(default_factory=WordCounts)
    names: NameCache = field(default_factory=NameCache)
    extractors: Extractors = field(default_factory=Extractors)
    ledger: Ledger = field(default_factory=Ledger)
    streams: Slots = field(default_factory=Slots)


def state() -> State:
    """Return the state of the current app; the same one for the whole of a request, whatever changes meanwhile."""
    if "loci" not in g:
        g.loci = current_app.extensions["loci"]
    return cast(State, g.loci)
