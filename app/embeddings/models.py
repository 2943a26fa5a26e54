"""Facts about embedding models that their files do not tell."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Pooling = Literal["cls", "mean"]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """How a model wants to be run.

    `pooling` names the row of the last hidden state that is the text's vector: the first (cls) or the mean of all.
    `max_tokens` counts the special tokens as well; what stands further down is not seen. `dimensions` may be None:
    it is then read from the model. `cosine_floor` is described in `base.Embedder`.
    """

    name: str
    pooling: Pooling
    max_tokens: int = 256
    query_prefix: str = ""
    document_prefix: str = ""
    dimensions: int | None = None
    cosine_floor: float = 0.0


# 256 tokens: 512 gain nothing on conversations and cost time on long texts. The query prefix that bge's authors
# advise moved recall by less than 0.5 points either way, so it is left out.
# The floor of MiniLM was measured: on conversations and on passages alike, 0.09 is the quantile of its cosines that
# 0.45 is of bge's.
NAMED_MODELS: dict[str, ModelFacts] = {
    "bge-small": ModelFacts("bge-small-en-v1.5-q", pooling="cls", dimensions=384, cosine_floor=0.45),
    "minilm": ModelFacts("all-minilm-l6-v2-q", pooling="mean", dimensions=384, cosine_floor=0.09),
}
DEFAULT_MODEL = "bge-small"


def declared_pooling(folder: Path) -> Pooling | None:
    """Pooling that a sentence-transformers export declares in `1_Pooling/config.json`; None where it declares none."""
    try:
        declared = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
        if declared["pooling_mode_cls_token"]:
            return "cls"
        return "mean" if declared["pooling_mode_mean_tokens"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
