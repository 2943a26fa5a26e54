import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.embeddings.base import EmbedderUnavailable
from app.embeddings.hashing import HashingEmbedder


class TestEmbed:
    def test_texts_that_share_words_are_nearer_than_texts_that_share_none(self) -> None:
        embedder = HashingEmbedder()
        query = embedder.embed_query("Who repairs old boats?")
        boats, bread = embedder.embed_documents(["Tom repaired an old boat.", "Maria sold all the bread."])
        assert query @ boats > 0.3
        assert query @ boats > query @ bread + 0.2

    def test_case_and_endings_hardly_matter(self) -> None:
        embedder = HashingEmbedder()
        assert embedder.embed_query("DEPLOYING") @ embedder.embed_query("deployed") > 0.4

    def test_another_process_gets_the_same_vectors(self) -> None:
        code = "from app.embeddings.hashing import HashingEmbedder as H; print(H(16).embed_query('same text').tolist())"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert other.strip() == str(HashingEmbedder(16).embed_query("same text").tolist())

    @settings(deadline=None)  # a busy machine is no failure
    @given(st.text(min_size=1).filter(lambda text: text.strip() != ""))
    def test_every_text_has_a_unit_vector(self, text: str) -> None:
        vector = HashingEmbedder(8).embed_query(text)
        assert vector.shape == (8,)
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)

    def test_what_lies_beyond_its_reach_does_not_count(self) -> None:
        embedder = HashingEmbedder(64, reach=20)
        near, far = embedder.embed_documents(["Tom repairs old boats", "Tom repairs old boats and many other things"])
        assert embedder.seen("Tom repairs old boats and many other things") == 20
        assert near @ far == pytest.approx(1.0)

    def test_a_blank_text_is_refused(self) -> None:
        with pytest.raises(ValueError, match="blank"):
            HashingEmbedder().embed_query(" ")


class TestAbout:
    def test_the_identity_says_hashing_and_tells_lengths_apart(self) -> None:
        assert HashingEmbedder(16).identity.startswith("hashing")
        assert HashingEmbedder(16).identity != HashingEmbedder(32).identity

    def test_closed_is_closed(self) -> None:
        embedder = HashingEmbedder()
        embedder.close()
        with pytest.raises(EmbedderUnavailable, match="closed"):
            embedder.embed_query("tea")
