"""Answers from memories, with citations: by a chat model where one is configured, else by their best sentences.

An answer is made as events, so that it can be told while it is being made: `hits`, some `delta`, `citation`, `done`.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from app.auth import Principal
from app.clock import iso
from app.services.chat import ChatFailed, ChatModel, ask_model, told
from app.services.context import Piece, chosen_model, fitted
from app.services.distinct import distinct
from app.services.extractive import best_sentences
from app.services.quotes import INSTRUCTIONS, Quote, Reader
from app.services.recall import search
from app.state import State
from graph.labels import NEVER
from graph.records import Row

Event = tuple[str, Row]

NOTHING = "Nothing that is remembered answers this question."


@dataclass
class Answer:
    """A question under way: what was found for it, whether that may answer, and who is to."""

    parts: State
    question: str
    pieces: Sequence[Piece]
    answerable: bool
    model: ChatModel | None
    streaming: bool = False

    def events(self) -> Iterator[Event]:
        """Yield `hits`, what is told piece by piece, each `citation`, and `done`, which has the answer that counts."""
        yield "hits", {"object": "answer.hits", "question": self.question, "hits": self.hits()}
        answer = None
        # A model given the nearest there is would make something of it: what a search calls unanswered stays so.
        if self.model is not None and self.answerable and self.pieces:
            answer = yield from self._by_model(self.model)
        if answer is None:
            answer = yield from self._by_extraction()
        for citation in answer["citations"]:
            yield "citation", citation
        yield "done", answer

    def whole(self) -> Row:
        """Return the answer with its hits."""
        return {**dict(self.events())["done"], "hits": self.hits()}

    def hits(self) -> list[Row]:
        """Return what the answer is drawn from, numbered, as `AnswerHitOut` takes it."""
        return [_shown(number, piece) for number, piece in self._numbered()]

    def _by_model(self, model: ChatModel) -> Generator[Event, None, Row | None]:
        """Tell and return the model's answer; None when it fails, or when its citations do not bear it out."""
        reader = Reader({number: piece.hit.memory["content"] for number, piece in self._numbered()})
        try:
            for written in self._written(model):
                if shown := reader.feed(written):
                    yield "delta", {"text": shown}
        except ChatFailed:
            return None
        rest, checked = reader.finish()
        if checked is None:
            return None
        if checked.unknown:
            return self._nothing("model", model.model)
        if rest:
            yield "delta", {"text": rest}
        return self._done(checked.text, checked.quotes, "model", model.model)

    def _written(self, model: ChatModel) -> Iterator[str]:
        text = f"Question: {_line(self.question)}\n\nNotes:\n" + "\n".join(
            f"[{number}] ({_day(piece)}) {_line(piece.text)}" for number, piece in self._numbered()
        )
        if self.streaming:
            yield from told(model, INSTRUCTIONS, text)
        elif (answer := ask_model(model, INSTRUCTIONS, text)) is None:
            raise ChatFailed
        else:
            yield answer

    def _by_extraction(self) -> Generator[Event, None, Row]:
        found = []
        if self.answerable:
            sources = [(number, piece.text, piece.hit.score) for number, piece in self._numbered()]
            found = best_sentences(self.question, sources, self.parts.embedder, self.parts.space.analyzer)
        if not found:
            return self._nothing("extractive")
        texts = [f"{each.text}{self._when(each.number)} [{each.number}]" for each in found]
        for at, text in enumerate(texts):
            yield "delta", {"text": text if at == 0 else f" {text}"}
        return self._done(" ".join(texts), [Quote(each.number, each.text) for each in found], "extractive")

    def _nothing(self, method: str, model: str | None = None) -> Row:
        return {**self._done(NOTHING, (), method, model), "known": False}

    def _done(self, text: str, quotes: Sequence[Quote], method: str, model: str | None = None) -> Row:
        pieces = dict(self._numbered())
        return {
            "object": "answer",
            "question": self.question,
            "answer": text,
            "known": True,
            "method": method,
            "model": model,
            "citations": [
                {
                    "number": quote.number,
                    "memory_id": pieces[quote.number].hit.memory["id"],
                    "quote": quote.text,
                    "score": pieces[quote.number].hit.score,
                }
                for quote in quotes
            ],
        }

    def _numbered(self) -> list[tuple[int, Piece]]:
        return list(enumerate(self.pieces, 1))

    def _when(self, number: int) -> str:
        """Return the day of what a memory tells, where it is known: "yesterday" is told with it."""
        occurred = self.pieces[number - 1].hit.memory["occurred_at"]
        return "" if occurred is None or occurred >= NEVER else f" ({(iso(occurred) or '')[:10]})"


def ask(parts: State, caller: Principal, body: Row, streaming: bool = False) -> Answer:
    """Look for what answers a loaded `AskIn` body. The answer itself is made by its `events` or its `whole`.

    Raises:
        EmbedderError: the question cannot be embedded now.
    """
    model = None if body.get("method") == "extractive" else chosen_model(parts, caller, {})
    found = search(parts, caller, {**body, "query": body["question"], "search_mode": "hybrid"})
    kept = [found.hits[at] for at in distinct([hit.memory["content"] for hit in found.hits])]
    answerable = not found.no_relevant_memory
    return Answer(parts, body["question"], fitted(kept, body["max_tokens"]), answerable, model, streaming)


def _shown(number: int, piece: Piece) -> Row:
    memory = piece.hit.memory
    occurred = memory["occurred_at"]
    return {
        "number": number,
        "memory_id": memory["id"],
        "content": piece.text,
        "truncated": piece.truncated,
        "score": piece.hit.score,
        "memory_type": memory["memory_type"],
        "agent_id": memory["agent_id"],
        "session_id": memory["session_id"] or None,
        "occurred_at": None if occurred is None or occurred >= NEVER else occurred,
        "created_at": memory["created_at"],
    }


def _day(piece: Piece) -> str:
    memory = piece.hit.memory
    occurred = memory["occurred_at"]
    return (iso(memory["created_at"] if occurred is None or occurred >= NEVER else occurred) or "")[:10]


def _line(text: str) -> str:
    """Return a text in one line that cannot pass for the end of the data, nor for another note."""
    return " ".join(text.split()).replace("<<<", "< <<").replace(">>>", "> >>")
