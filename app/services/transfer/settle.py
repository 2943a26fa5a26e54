"""Writing what foreign dumps hold, through the services of the API; ids follow from theirs: again is the same."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from app.auth import Principal
from app.ids import is_uuid, new_id
from app.schemas.common import METADATA_BYTES
from app.schemas.memories import LONGEST
from app.services.entities import named
from app.services.memory_windows import Embedded, embedded
from app.services.remember import Draft, draft, write
from app.services.transfer.foreign import Found, Said, Thing, Tie
from app.services.transfer.form import TransferError
from app.state import State
from graph.agents import AgentRepository
from graph.driver import Transaction
from graph.entities import EntityRepository
from graph.entity_links import EntityLinkRepository
from graph.entity_relations import EntityRelationRepository
from graph.sessions import SessionRepository
from graph.transfer import TransferRepository

SPACE = uuid.UUID("6f2c8f5e-8a57-5d55-9d0e-3f6f0b6f7a11")
AT_ONCE = 16
LONGEST_NAME = 255
LONGEST_TYPE = 100
IMPORTANCE = 0.5


@dataclass
class Settled:
    """What became of a dump, in counts."""

    made: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    unlinked: int = 0


@dataclass
class Settling:
    """One import of a dump of `source` (`mem0`, `graphiti`, `mcp-memory`). `agent` is whose memories those are that
    name none; `tell` is given how many more things are done."""

    parts: State
    caller: Principal
    source: str
    agent: str
    tell: Callable[[int], None] = lambda count: None
    report: Settled = field(default_factory=Settled)
    entities: dict[str, str] = field(default_factory=dict)
    waiting: list[tuple[int, Said]] = field(default_factory=list)

    def run(self, found: Iterable[tuple[int, Found]]) -> Settled:
        """Write everything and return what became of it.

        Raises:
            TransferError: something cannot be stored; what stands before it is written.
            QuotaExceeded: the tenant would hold more memories than it may.
            EmbedderError: no vectors can be had.
        """
        for number, each in found:
            _check(number, each)
            if isinstance(each, Said):
                self.waiting.append((number, each))
                if len(self.waiting) == AT_ONCE:
                    self._flush()
                continue
            self._flush()
            if isinstance(each, Thing):
                self._entity(number, each)
            else:
                self._relation(number, each)
            self.tell(1)
        self._flush()
        return self.report

    def id(self, kind: str, key: str) -> str:
        """Return the id of a thing of this source: always the same."""
        return str(uuid.uuid5(SPACE, f"{self.source}\n{kind}\n{key}"))

    def _entity(self, number: int, thing: Thing) -> None:
        name, kind = thing.name.strip(), thing.entity_type.strip()
        if len(name) > LONGEST_NAME or len(kind) > LONGEST_TYPE:
            message = f"must be at most {LONGEST_NAME} characters long, and its type {LONGEST_TYPE}"
            raise TransferError(number, "name", message)
        id = self.id("entity", thing.key)
        known = TransferRepository(self.parts.graph, self.caller).known("Entity", [id])
        metadata = _json(number, thing.metadata)
        row = EntityRepository(self.parts.graph, self.caller).create(id, named(name, kind), metadata, None)
        self.parts.names.stale(self.caller.tenant)
        self.entities[thing.key] = row["id"]
        (self.report.known if row["id"] != id or id in known else self.report.made)["Entity"] += 1

    def _relation(self, number: int, tie: Tie) -> None:
        ends = (self.entities.get(tie.source), self.entities.get(tie.target))
        if ends[0] is None or ends[1] is None or ends[0] == ends[1]:
            self.report.unlinked += 1
            return
        if len(tie.type) > LONGEST_TYPE:
            raise TransferError(number, "type", f"must be at most {LONGEST_TYPE} characters long")
        relations = EntityRelationRepository(self.parts.graph, self.caller)
        id, metadata = self.id("relation", tie.key), _json(number, tie.metadata)
        pair = (ends[0], ends[1])
        if relations.ever(pair[0], id):
            self.report.known["relation"] += 1
            return
        if tie.until is not None:
            relations.held(id, pair, tie.type, metadata, tie.since or 0, tie.until)
        elif relations.state(id, pair, tie.type, None, metadata)["created"] and tie.since is not None:
            relations.date(pair[0], id, tie.since)
        self.report.made["relation"] += 1

    def _flush(self) -> None:
        waiting, self.waiting = self.waiting, []
        ids = {self.id("memory", said.key): (number, said) for number, said in waiting}
        known = TransferRepository(self.parts.graph, self.caller).known("Memory", sorted(ids))
        fresh = [(id, number, said) for id, (number, said) in ids.items() if id not in known]
        self.report.known["Memory"] += len(waiting) - len(fresh)
        if fresh:
            self._memories(fresh)
        self.tell(len(waiting))

    def _memories(self, fresh: Sequence[tuple[str, int, Said]]) -> None:
        self.parts.ledger.quota.admit(self.parts, self.caller, len(fresh))
        for _, number, said in fresh:
            if len(said.content) > LONGEST:
                raise TransferError(number, "content", f"must be at most {LONGEST} characters long; split it")
        vectors = embedded(self.parts.embedder, [said.content for _, _, said in fresh])
        drafts = [self._draft(*each, its) for each, its in zip(fresh, vectors, strict=True)]
        numbers = self.parts.sequence.take(self.caller.tenant, len(drafts))
        for seq, made in zip(numbers, drafts, strict=True):
            made.props["seq"] = seq

        def work(tx: Transaction) -> None:
            write(self.parts, self.caller, drafts, tx)
            links = EntityLinkRepository(self.parts.graph, self.caller, tx)
            for id, _, said in fresh:
                for key in dict.fromkeys(said.about):
                    if key in self.entities:
                        links.link(self.id("link", f"{id}\n{key}"), self.entities[key], id, None)

        self.parts.graph.transaction(work)
        self.report.made["Memory"] += len(fresh)
        self.report.unlinked += sum(key not in self.entities for _, _, said in fresh for key in set(said.about))

    def _draft(self, id: str, number: int, said: Said, vectors: Embedded) -> Draft:
        agent = said.agent.strip() or self.agent
        body: dict[str, Any] = {
            "content": said.content,
            # An id of theirs is a name here.
            "agent_id": f"{self.source}-{agent}" if is_uuid(agent) else agent[:LONGEST_NAME],
            "user_id": said.user_id or None,
            "importance": IMPORTANCE,
            "visibility": "private",
            "metadata": orjson.loads(_json(number, said.metadata)),
        }
        if said.occurred_at is not None:
            body["occurred_at"] = said.occurred_at
        if said.session:
            body["session_id"] = self._session(said, body["agent_id"])
        made = draft(self.parts, body, vectors, self.parts.names.of(self.parts.graph, self.caller.tenant))
        since = said.created_at if said.created_at is not None else made.props["created_at"]
        made.props |= {"id": id, "created_at": since, "said_since": since, "updated_at": said.updated_at or since}
        return made

    def _session(self, said: Said, agent: str) -> str:
        agent_id = AgentRepository(self.parts.graph, self.caller).resolve(agent, False, new_id())["id"]
        props = {"external_id": said.session, "metadata": "{}"}
        sessions = SessionRepository(self.parts.graph, self.caller)
        return str(sessions.get_or_create(self.id("session", said.session), agent_id, props)[0]["id"])


def _check(number: int, each: Found) -> None:
    """Refuse texts that cannot be stored, whatever they are for."""
    for name in (one.name for one in fields(each)):
        value = getattr(each, name)
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not _storable(text):
                raise TransferError(number, name, "must be whole characters without NUL")
    if isinstance(each, Said) and max(len(each.user_id), len(each.session)) > LONGEST_NAME:
        raise TransferError(number, "user_id", f"must be at most {LONGEST_NAME} characters long, as its session's name")


def _storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _json(number: int, metadata: dict[str, Any]) -> str:
    try:
        text = orjson.dumps(metadata)
    except TypeError as error:
        raise TransferError(number, "metadata", "must hold whole characters, and numbers of 64 bits at most") from error
    if len(text) > METADATA_BYTES or b"\\u0000" in text:
        raise TransferError(number, "metadata", "must be at most 10 KB as JSON, without NUL")
    return text.decode()
