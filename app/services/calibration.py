"""From ranking scores, which compare only within one question, to scores that mean the same for all questions."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.services.rankers import Ranked

SAME = 0.9
BELOW_SAME = 0.89
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a model's cosines mean, fitted on labelled questions. It belongs to the model: see `CALIBRATIONS`.

    `unrelated` and `related` are places between the model's floor (0) and 1 of the best cosine of a question: at the
    first nothing answers, at the second something does.
    """

    unrelated: float = 0.30
    related: float = 0.60


CALIBRATIONS: dict[str, Calibration] = {}
DEFAULT = Calibration()


def for_model(name: str) -> Calibration:
    """Return the calibration of the embedder with this `Embedder.name`."""
    return CALIBRATIONS.get(name, DEFAULT)


def hybrid_scores(
    question: str, order: Sequence[Ranked], texts: Sequence[str], floor: float, model: Calibration
) -> list[float]:
    """Return scores for hits in their final order, with their texts; `floor` is the model's `cosine_floor`."""
    return [min(max(each.score, 0.0), 1.0) for each in order]


def keyword_scores(question: str, order: Sequence[Ranked], texts: Sequence[str]) -> list[float]:
    return [each.lexical / (each.lexical + 3) for each in order]
