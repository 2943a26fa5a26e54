"""One ONNX model with its tokenizer: a text in, its hidden state pooled to one row out."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from app.embeddings.base import EmbedderMisconfigured, EmbedderUnavailable
from app.embeddings.models import ModelFacts

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"

# Tokenizing 50,000 characters costs more than running the 256 tokens that are kept. Words of ordinary text give a token
# for every four characters, so nothing that the model would have seen is cut.
CHARACTERS_PER_TOKEN = 32
SEEN_PER_TOKEN = 8

_KNOWN_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


def check_folder(folder: Path) -> None:
    """Raises EmbedderMisconfigured unless the folder holds a model and its tokenizer."""
    for name in (MODEL_FILE, TOKENIZER_FILE):
        if not (folder / name).is_file():
            raise EmbedderMisconfigured(
                f"There is no {name} in {folder}.",
                f"Give a folder that contains {MODEL_FILE} and {TOKENIZER_FILE}, or run `loci fetch`.",
            )


def files_digest(folder: Path) -> str:
    """SHA-256 over the tokenizer and every file of the model, weights kept beside it (model.onnx_data) included."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob(f"{MODEL_FILE}*"), folder / TOKENIZER_FILE]):
        with path.open("rb") as stream:
            digest.update(f"{path.name}:{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


class OnnxModel:
    """A loaded model. `pooled` may be called from several threads at once."""

    def __init__(self, folder: Path, facts: ModelFacts) -> None:
        """Raises EmbedderMisconfigured when the files are broken or are not a text model of the kind described."""
        check_folder(folder)
        self._facts = facts
        self._tokenizer = _tokenizer(folder / TOKENIZER_FILE, facts)
        self._session = _session(folder / MODEL_FILE)
        self._inputs = [each.name for each in self._session.get_inputs()]
        if "input_ids" not in self._inputs or not set(self._inputs) <= _KNOWN_INPUTS:
            raise EmbedderMisconfigured(
                f"{folder / MODEL_FILE} is no text embedding model: it takes {', '.join(self._inputs)}.",
                f"Give a model exported for feature extraction, with inputs among {', '.join(sorted(_KNOWN_INPUTS))}.",
            )
        self.dimensions = self._try_longest_text(folder)

    def pooled(self, text: str) -> npt.NDArray[np.float32]:
        """The row of shape (dimensions,) for one text, not normalised.

        One text a run: int8 models scale their activations over the whole batch, so that in a batch a text's vector
        would depend on its neighbours (cosine 0.987 to 0.996 with itself). Raises EmbedderUnavailable.
        """
        encoding = self._tokenizer.encode(text[: self._facts.max_tokens * CHARACTERS_PER_TOKEN])
        columns = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        try:
            output = self._session.run(None, {k: np.array([columns[k]], dtype=np.int64) for k in self._inputs})[0]
        except Exception as error:  # onnxruntime raises classes of its own that share no base but Exception
            raise EmbedderUnavailable(f"The model failed to run: {type(error).__name__}.") from error
        return self._pool(output)

    def seen(self, text: str) -> int:
        """How many of the first characters of `text` a run is given."""
        # Twice what ordinary text needs, and no more: finding out must not cost what the run does.
        head = text[: self._facts.max_tokens * SEEN_PER_TOKEN]
        encoding = self._tokenizer.encode(head)
        if not encoding.overflowing:
            return len(head)
        return int(max(end for _, end in encoding.offsets))

    def _pool(self, output: Any) -> npt.NDArray[np.float32]:
        if output.ndim == 2:  # the export pools by itself
            row = output[0]
        elif self._facts.pooling == "cls":
            row = output[0, 0]
        else:
            # No padding, so that the plain mean is the masked mean.
            row = output[0].mean(axis=0)
        return np.asarray(row, dtype=np.float32)

    def _try_longest_text(self, folder: Path) -> int:
        """A wrong length setting shows here, at the start, and not on the first long memory. Returns the dimensions."""
        try:
            return int(self.pooled("word " * self._facts.max_tokens).size)
        except EmbedderUnavailable as error:
            raise EmbedderMisconfigured(
                f"The model in {folder} cannot run a text of {self._facts.max_tokens} tokens.",
                "Lower the token limit to what the model was trained for, or give another model.",
            ) from error


def _tokenizer(path: Path, facts: ModelFacts) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise EmbedderMisconfigured(
            f"{path} is not a tokenizer file.", "Delete it and run `loci fetch`, or give another model folder."
        ) from error
    # Files often ship with limits for training: MiniLM's pads and cuts at 128.
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=facts.max_tokens)
    return tokenizer


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    # Runs go side by side, one thread each: that is as fast as threads within a run, and needs no thread of its own.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own that share no base but Exception
        raise EmbedderMisconfigured(
            f"{path} is not a model that can be loaded.",
            "Delete it and run `loci fetch`, or give another model folder.",
        ) from error
