"""From ranking scores, which compare only within one question, to scores that mean the same for all questions.

A score of 0.9 and more says "this is the text you sent": clients delete on it. Everything else stays below.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from app.services.rankers import Ranked

Confidence: TypeAlias = Literal["high", "medium", "low"]

SAME = 0.9
BELOW_SAME = 0.89
# Only the first few can be what answers; further down, one common word is enough for a good text score.
LOOKED_AT = 5
# A text score at which a keyword search is as sure as not.
HALF_SURE = 3.0
# What stands around words. Signs within them, and signs that mean something by themselves (C++, -5, .5, 10%), stay.
_BEFORE = "\"'([{“”„\u2018\u2019«»"
_AFTER = _BEFORE + ")]}.,;:!?…"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a model's cosines mean. It belongs to the model: see `CALIBRATIONS`.

    Evidence for a question is the best cosine among the first hits, placed between the model's floor (0) and 1, plus
    `words` times the share of the question's word weight that the best text match has. `levels` turns evidence into the
    score of the first hit, straight between its points; later hits fall with the `fall` power of their ranking score.
    At evidence `answers` and more a question counts as answered, at `sure` and more surely so; in a search by meaning
    alone the best cosine decides, by `cosine_answers` and `cosine_sure`.
    """

    words: float = 0.45
    levels: tuple[tuple[float, float], ...] = (
        (0.0, 0.0), (0.30, 0.10), (0.57, 0.40), (0.75, 0.62), (1.0, 0.80), (1.4, BELOW_SAME),
    )  # fmt: skip
    fall: float = 0.5
    answers: float = 0.63
    sure: float = 0.86
    cosine_answers: float = 0.68
    cosine_sure: float = 0.75


# A keyword score, which knows nothing of meaning: about half and three quarters of what a good match has.
KEYWORD_ANSWERS, KEYWORD_SURE = 0.7, 0.8

# Fitted on bge-small: below evidence 0.63 lie nearly nine in ten questions about absent facts, and one in ten of those
# that the first five hits answer; above 0.86 one in thirty of the absent ones, and half of those whose first hit is
# right. Other models start from the same map over their own floor, until they are fitted.
DEFAULT = Calibration()
CALIBRATIONS: dict[str, Calibration] = {"local:bge-small-en-v1.5-q": DEFAULT}


def for_model(name: str) -> Calibration:
    """Return the calibration of the embedder with this `Embedder.name`."""
    return CALIBRATIONS.get(name, DEFAULT)


def evidence(order: Sequence[Ranked], floor: float, reach: float, model: Calibration) -> float:
    """Return how much speaks for the question having an answer, from 0 up to about 1.5.

    `order` is everything found, in final order; `floor` the model's `cosine_floor`; `reach` the text score of a memory
    that had every word of the question.
    """
    first = order[:LOOKED_AT]
    near = max((each.cosine for each in first), default=0.0)
    place = max((near - floor) / (1 - floor), 0.0)
    told = max((each.lexical for each in first), default=0.0) / reach if reach > 0 else 0.0
    return place + model.words * min(told, 1.0)


def hybrid_scores(order: Sequence[Ranked], floor: float, reach: float, model: Calibration) -> list[float]:
    """Return a score below 0.9 for everything found, descending along its final order. Arguments as `evidence`."""
    level = between(evidence(order, floor, reach, model), model.levels)
    top = order[0].score if order else 0.0
    share, scores = 1.0, []
    for each in order:
        share = min(share, max(each.score, 0.0) / top if top > 0 else 0.0)
        scores.append(level * share**model.fall)
    return scores


def confidence(score: float, mode: str, model: Calibration) -> Confidence:
    """Return how sure a hit with this score answers its question; `low` says that it most likely does not.

    `mode` is the search mode that the score comes from.
    """
    match mode:
        case "semantic":
            answers, sure = model.cosine_answers, model.cosine_sure
        case "keyword":
            answers, sure = KEYWORD_ANSWERS, KEYWORD_SURE
        case _:
            answers, sure = between(model.answers, model.levels), between(model.sure, model.levels)
    if score < answers:
        return "low"
    return "high" if score >= sure else "medium"


def keyword_scores(order: Sequence[Ranked]) -> list[float]:
    """Return a score below 0.9 for text matches, best first: BM25 has no upper end, so it is squashed."""
    return [min(each.lexical / (each.lexical + HALF_SURE), BELOW_SAME) for each in order]


def with_same(scores: Sequence[float], question: str, texts: Sequence[str]) -> list[float]:
    """Return `scores` with 1 for those texts that are the question itself, and less than 0.9 for all others.

    Nearly the same is not the same: texts that differ in one number or one "not" are about different things, however
    long they are, and a client that deletes on this score must never take one for the other.
    """
    words = spoken(question)
    return [1.0 if spoken(text) == words else min(score, BELOW_SAME) for score, text in zip(scores, texts, strict=True)]


def spoken(text: str) -> list[str]:
    """Return the words of a text in order, without case and without the punctuation around them."""
    words = unicodedata.normalize("NFC", text.casefold()).split()
    return [bare for word in words if (bare := word.lstrip(_BEFORE).rstrip(_AFTER))] or words


def between(x: float, points: Sequence[tuple[float, float]]) -> float:
    """Return the height at `x` of the line through `points` (x rising); level before the first and after the last."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]
