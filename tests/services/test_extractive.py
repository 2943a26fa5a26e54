"""Which sentences are told for an answer."""

from typing import Any

import pytest

from app.embeddings import EmbedderUnavailable
from app.embeddings.hashing import HashingEmbedder
from app.services.extractive import EMBEDDED, MOST_TOLD, best_sentences
from tests.notebook import Meaning

QUESTION = "Where does the zorblat live?"


class Counting(HashingEmbedder):
    """Keeps what it embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.embedded: list[str] = []

    def embed_documents(self, texts: Any) -> Any:
        self.embedded += texts
        return super().embed_documents(texts)


def best(*texts: str, asked: str = QUESTION, embedder: Any = None) -> list[tuple[int, str]]:
    """Return what is told of memories whose scores fall slowly, as (number, sentence)."""
    sources = [(at + 1, text, 0.8 - 0.01 * at) for at, text in enumerate(texts)]
    return [(each.number, each.text) for each in best_sentences(asked, sources, embedder or HashingEmbedder())]


def test_the_sentence_with_the_rare_words_is_told_wherever_it_stands() -> None:
    text = "It was a long day. " * 30 + "The zorblat does live in Porto."
    assert best("A long day it was.", text) == [(2, "The zorblat does live in Porto.")]


def test_a_sentence_of_another_word_for_it_is_told() -> None:
    told = best("It is late. My kitten sleeps. It rains.", asked="feline sleeps", embedder=Meaning())
    assert told == [(1, "My kitten sleeps.")]


@pytest.mark.parametrize("idle", [QUESTION, "Zorblat live", "Where, where does the zorblat live now?"])
def test_a_mere_question_gives_way_to_what_answers_it(idle: str) -> None:
    assert best(idle, "The zorblat lives in Porto, in a boat.")[0] == (2, "The zorblat lives in Porto, in a boat.")


def test_what_has_nothing_of_the_question_is_not_told() -> None:
    assert best("Invoices are in euros. Pay on Monday.") == []


def test_no_sentence_is_no_answer() -> None:
    assert best() == best("...") == best("x" * 1000) == []


def test_only_so_many_sentences_are_embedded_and_told() -> None:
    counting = Counting()
    told = best(*[f"The zorblat lives in house {n}." for n in range(50)], embedder=counting)
    assert len(counting.embedded) == EMBEDDED
    assert len(told) == MOST_TOLD


def test_without_vectors_words_decide() -> None:
    class Tired(HashingEmbedder):
        def embed_documents(self, texts: Any) -> Any:
            raise EmbedderUnavailable("no")

    assert best("It is green. The zorblat lives in Porto.", embedder=Tired()) == [(1, "The zorblat lives in Porto.")]
