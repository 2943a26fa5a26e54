import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from app.embeddings.base import EmbedderMisconfigured, EmbedderUnavailable
from app.embeddings.local import LocalEmbedder
from app.embeddings.models import NAMED_MODELS, ModelFacts

BGE = NAMED_MODELS["bge-small"]

PARAPHRASES = [
    ("Where does Tom keep his boat?", "Tom's vessel is moored at the north harbour."),
    ("The deployment failed because the disk was full.", "We ran out of storage, so the release did not go through."),
    ("Maria is allergic to peanuts.", "Nuts make Maria ill."),
    ("Which database did we choose?", "The team decided to go with Postgres for persistence."),
]


def texts(count: int) -> list[str]:
    return [
        f"On day {day} Maria sold {day * 3} loaves and Tom {'repaired his boat ' * (day % 7)}." for day in range(count)
    ]


class TestDeterminism:
    def test_a_text_has_the_same_vector_alone_and_among_fifty(self, bge: LocalEmbedder) -> None:
        batch = texts(50)
        together = bge.embed_documents(batch)
        for text, vector in zip(batch, together, strict=True):
            assert np.array_equal(vector, bge.embed_documents([text])[0])

    def test_eight_threads_get_the_vectors_that_one_gets(self, bge: LocalEmbedder) -> None:
        batch = texts(12)
        expected = np.stack(bge.embed_documents(batch))
        with ThreadPoolExecutor(8) as threads:
            documents = list(threads.map(lambda _: np.stack(bge.embed_documents(batch)), range(8)))
            queries = list(threads.map(bge.embed_query, batch * 4))
        assert all(np.array_equal(expected, each) for each in documents)
        assert np.array_equal(np.concatenate([expected] * 4), np.stack(queries))

    def test_the_number_of_threads_makes_no_difference(self, bge: LocalEmbedder, model_folder: Path) -> None:
        single = LocalEmbedder(model_folder, BGE, threads=1)
        assert np.array_equal(np.stack(single.embed_documents(texts(5))), np.stack(bge.embed_documents(texts(5))))
        single.close()

    def test_a_forked_process_gets_the_same_vectors_from_an_embedder_in_use(self, model_folder: Path) -> None:
        code = """
import os, sys
from pathlib import Path
from app.embeddings.local import LocalEmbedder
from app.embeddings.models import NAMED_MODELS

embedder = LocalEmbedder(Path(sys.argv[1]), NAMED_MODELS["bge-small"], threads=2)
before = [vector.tobytes() for vector in embedder.embed_documents(["tea", "bread", "boat"])]
child = os.fork()
if child == 0:
    after = [vector.tobytes() for vector in embedder.embed_documents(["tea", "bread", "boat"])]
    embedder.close()
    os._exit(0 if after == before else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
        assert subprocess.run([sys.executable, "-c", code, str(model_folder)], timeout=120).returncode == 0


class TestMeaning:
    def test_each_paraphrase_is_nearer_than_every_unrelated_text(self, bge: LocalEmbedder) -> None:
        left = np.stack([bge.embed_query(pair[0]) for pair in PARAPHRASES])
        right = np.stack(bge.embed_documents([pair[1] for pair in PARAPHRASES]))
        assert (left @ right.T).argmax(axis=1).tolist() == [0, 1, 2, 3]

    def test_a_paraphrase_lies_above_the_floor(self, bge: LocalEmbedder) -> None:
        for left, right in PARAPHRASES:
            assert bge.embed_query(left) @ bge.embed_documents([right])[0] > bge.cosine_floor

    def test_vectors_are_float32_of_length_one(self, bge: LocalEmbedder) -> None:
        vector = bge.embed_query("tea")
        assert vector.dtype == np.float32
        assert vector.shape == (bge.dimensions,)
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)


class TestLongTexts:
    def test_what_stands_after_the_last_token_is_not_seen(self, bge: LocalEmbedder) -> None:
        start = "tea " * 300
        assert np.array_equal(bge.embed_query(start + "bread"), bge.embed_query(start + "boat"))

    def test_what_stands_before_it_is_seen(self, bge: LocalEmbedder) -> None:
        start = "tea " * 200
        assert not np.array_equal(bge.embed_query(start + "bread"), bge.embed_query(start + "boat"))

    def test_fifty_thousand_characters_are_taken(self, bge: LocalEmbedder) -> None:
        assert bge.embed_documents(["river market " * 3_850])[0].shape == (384,)

    def test_a_limit_that_the_model_cannot_run_is_refused_at_once(self, model_folder: Path) -> None:
        with pytest.raises(EmbedderMisconfigured, match="600 tokens"):
            LocalEmbedder(model_folder, replace(BGE, max_tokens=600)).embed_query("tea")


class TestOddTexts:
    @pytest.mark.parametrize("blank", ["", "   ", "\n\t"])
    def test_a_blank_text_is_refused(self, bge: LocalEmbedder, blank: str) -> None:
        with pytest.raises(ValueError, match="blank"):
            bge.embed_query(blank)
        with pytest.raises(ValueError, match=r"texts\[1\]"):
            bge.embed_documents(["tea", blank])

    def test_no_texts_give_no_vectors(self, bge: LocalEmbedder) -> None:
        assert bge.embed_documents([]) == []

    @pytest.mark.parametrize("text", ["\x00", "\u200b", "🍵", "茶を飲む", "[CLS] [SEP]", "a" * 5_000, "\x07bell"])
    def test_any_other_text_has_a_vector(self, bge: LocalEmbedder, text: str) -> None:
        assert np.isfinite(bge.embed_query(text)).all()


class TestQueryCache:
    def test_a_question_asked_again_comes_from_the_cache(self, bge: LocalEmbedder) -> None:
        assert bge.embed_query("who likes tea?") is bge.embed_query("who likes tea? ")

    def test_the_oldest_question_leaves_first(self, model_folder: Path) -> None:
        embedder = LocalEmbedder(model_folder, BGE, query_cache_size=2)
        first = embedder.embed_query("one")
        embedder.embed_query("two")
        embedder.embed_query("three")
        again = embedder.embed_query("one")
        assert again is not first
        assert np.array_equal(again, first)
        embedder.close()

    def test_size_nought_keeps_nothing(self, model_folder: Path) -> None:
        embedder = LocalEmbedder(model_folder, BGE, query_cache_size=0)
        assert embedder.embed_query("one") is not embedder.embed_query("one")
        embedder.close()


class TestPrefixes:
    def test_each_form_has_its_own(self, bge: LocalEmbedder, model_folder: Path) -> None:
        embedder = LocalEmbedder(model_folder, replace(BGE, query_prefix="query: ", document_prefix="passage: "))
        assert np.array_equal(embedder.embed_query("tea"), bge.embed_query("query: tea"))
        assert np.array_equal(embedder.embed_documents(["tea"])[0], bge.embed_query("passage: tea"))
        embedder.close()


class TestTokenizer:
    def test_limits_that_its_file_ships_with_are_overridden(
        self, bge: LocalEmbedder, model_folder: Path, tmp_path: Path
    ) -> None:
        shipped = Path(shutil.copytree(model_folder, tmp_path / "shipped"))
        tokenizer = Tokenizer.from_file(str(shipped / "tokenizer.json"))
        tokenizer.enable_padding(length=128)
        tokenizer.enable_truncation(128)
        tokenizer.save(str(shipped / "tokenizer.json"))
        embedder = LocalEmbedder(shipped, BGE)
        for text in ("tea", "tea " * 200 + "bread"):
            assert np.array_equal(embedder.embed_query(text), bge.embed_query(text))
        embedder.close()


class TestPooling:
    def test_the_mean_is_another_vector_than_the_first_row(self, bge: LocalEmbedder, model_folder: Path) -> None:
        mean = LocalEmbedder(model_folder, replace(BGE, pooling="mean"))
        assert not np.allclose(mean.embed_query("tea"), bge.embed_query("tea"))
        mean.close()


class TestIdentity:
    def test_it_does_not_depend_on_place_or_name(self, bge: LocalEmbedder, model_folder: Path, tmp_path: Path) -> None:
        moved = Path(shutil.copytree(model_folder, tmp_path / "moved"))
        assert LocalEmbedder(moved, replace(BGE, name="other")).identity == bge.identity

    @pytest.mark.parametrize(
        "facts",
        [replace(BGE, pooling="mean"), replace(BGE, max_tokens=128), replace(BGE, query_prefix="q: ")],
    )
    def test_it_depends_on_how_the_model_is_run(
        self, bge: LocalEmbedder, model_folder: Path, facts: ModelFacts
    ) -> None:
        assert LocalEmbedder(model_folder, facts).identity != bge.identity

    @pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "model.onnx_data"])
    def test_it_depends_on_every_file_of_the_model(
        self, bge: LocalEmbedder, model_folder: Path, tmp_path: Path, name: str
    ) -> None:
        changed = Path(shutil.copytree(model_folder, tmp_path / "changed"))
        with (changed / name).open("ab") as stream:
            stream.write(b" ")
        assert LocalEmbedder(changed, BGE).identity != bge.identity


class TestBrokenFolders:
    @pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
    def test_a_missing_file_is_named_before_anything_is_loaded(
        self, model_folder: Path, tmp_path: Path, name: str
    ) -> None:
        folder = Path(shutil.copytree(model_folder, tmp_path / "broken"))
        (folder / name).unlink()
        with pytest.raises(EmbedderMisconfigured, match=name):
            LocalEmbedder(folder, BGE)

    @pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
    def test_a_damaged_file_is_named_with_the_remedy(self, model_folder: Path, tmp_path: Path, name: str) -> None:
        folder = Path(shutil.copytree(model_folder, tmp_path / "broken"))
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(EmbedderMisconfigured, match=name) as caught:
            LocalEmbedder(folder, BGE).embed_query("tea")
        assert "loci fetch" in caught.value.remedy

    def test_a_folder_with_another_model_than_named_is_refused(self, model_folder: Path) -> None:
        with pytest.raises(EmbedderMisconfigured, match="384 dimensions, not 512"):
            LocalEmbedder(model_folder, replace(BGE, dimensions=512)).embed_query("tea")

    def test_the_length_is_read_from_the_model_when_it_is_not_known(self, model_folder: Path) -> None:
        embedder = LocalEmbedder(model_folder, replace(BGE, dimensions=None))
        assert embedder.dimensions == 384
        embedder.close()


class TestClose:
    @pytest.fixture
    def closed(self, model_folder: Path) -> LocalEmbedder:
        embedder = LocalEmbedder(model_folder, BGE, threads=2)
        embedder.embed_documents(["tea", "bread"])
        embedder.embed_query("tea")
        embedder.close()
        embedder.close()
        return embedder

    @pytest.mark.parametrize(
        "use",
        [lambda embedder: embedder.embed_query("tea"), lambda embedder: embedder.embed_documents(["tea", "bread"])],
    )
    def test_closed_is_closed(self, closed: LocalEmbedder, use: Callable[[LocalEmbedder], object]) -> None:
        with pytest.raises(EmbedderUnavailable, match="closed"):
            use(closed)


class TestSeen:
    def test_a_short_text_is_seen_whole(self, bge: LocalEmbedder) -> None:
        assert bge.seen("Maria sold all the bread.") == 25

    def test_what_lies_behind_it_does_not_change_the_vector(self, bge: LocalEmbedder) -> None:
        text = " ".join(texts(200))
        seen = bge.seen(text)
        assert 500 < seen < 1500
        whole, head, shorter = bge.embed_documents([text, text[:seen], text[: seen - 40]])
        assert np.array_equal(whole, head)
        assert not np.array_equal(whole, shorter)

    def test_a_prefix_takes_its_share(self, model_folder: Path, bge: LocalEmbedder) -> None:
        prefixed = LocalEmbedder(model_folder, replace(BGE, document_prefix="a passage from a diary: "))
        text = " ".join(texts(200))
        assert bge.seen(text) - 40 < prefixed.seen(text) < bge.seen(text)
        prefixed.close()
