import shutil
from pathlib import Path

import pytest

from app.embeddings import (
    NAMED_MODELS,
    EmbedderMisconfigured,
    EmbedderOptions,
    build_embedder,
    needed_artifact,
)
from app.local.lockfile import load_lock


class TestNeededArtifact:
    def test_the_default_is_bge_small(self) -> None:
        assert needed_artifact(EmbedderOptions()) == "bge-small"

    def test_a_named_model_is_needed_by_its_name(self) -> None:
        assert needed_artifact(EmbedderOptions(model="minilm")) == "minilm"

    @pytest.mark.parametrize(
        "options",
        [
            EmbedderOptions(provider="openai", model="bge-small"),
            EmbedderOptions(provider="hashing"),
            EmbedderOptions(model_path=Path("/models/own")),
        ],
    )
    def test_nothing_is_fetched_for_what_comes_from_elsewhere(self, options: EmbedderOptions) -> None:
        assert needed_artifact(options) is None

    def test_an_unknown_model_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(EmbedderMisconfigured, match="bge-small, minilm"):
            needed_artifact(EmbedderOptions(model="bge-huge"))


class TestNamedModels:
    @pytest.mark.parametrize("name", NAMED_MODELS)
    def test_their_facts_are_those_of_the_lock_that_fetches_them(self, name: str) -> None:
        facts, locked = NAMED_MODELS[name], load_lock(name).facts
        assert (facts.pooling, facts.max_tokens, facts.dimensions) == (
            locked["pooling"],
            locked["max_tokens"],
            locked["dimensions"],
        )


class TestBuild:
    def test_local_without_its_files_says_how_to_get_them(self) -> None:
        with pytest.raises(EmbedderMisconfigured, match="loci fetch"):
            build_embedder(EmbedderOptions())

    def test_local_with_an_empty_folder_says_what_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(EmbedderMisconfigured, match=r"model\.onnx"):
            build_embedder(EmbedderOptions(), artifact=tmp_path)

    def test_the_named_model_brings_its_own_facts(self, model_folder: Path) -> None:
        embedder = build_embedder(EmbedderOptions(), artifact=model_folder)
        assert embedder.name == "local:bge-small-en-v1.5-q"
        assert embedder.dimensions == 384
        assert embedder.cosine_floor == NAMED_MODELS["bge-small"].cosine_floor

    def test_the_floor_can_be_set(self, model_folder: Path) -> None:
        assert build_embedder(EmbedderOptions(cosine_floor=0.2), artifact=model_folder).cosine_floor == 0.2

    def test_a_folder_of_ones_own_is_named_after_it_and_read_for_its_length(
        self, model_folder: Path, tmp_path: Path
    ) -> None:
        own = tmp_path / "acme-embed"
        shutil.copytree(model_folder, own)
        embedder = build_embedder(EmbedderOptions(model="bge-small", model_path=own))
        assert embedder.name == "local:acme-embed"
        assert embedder.dimensions == 384
        embedder.close()

    @pytest.mark.parametrize(("declared", "pooling"), [("cls_token", "cls"), ("mean_tokens", "mean")])
    def test_a_folder_of_ones_own_may_declare_its_pooling(
        self, model_folder: Path, tmp_path: Path, declared: str, pooling: str
    ) -> None:
        own = tmp_path / "acme-embed"
        shutil.copytree(model_folder, own)
        (own / "1_Pooling").mkdir()
        modes = ", ".join(
            f'"pooling_mode_{mode}": {"true" if mode == declared else "false"}' for mode in ("cls_token", "mean_tokens")
        )
        (own / "1_Pooling" / "config.json").write_text(f"{{{modes}}}")
        assert f"pooling={pooling}" in build_embedder(EmbedderOptions(model_path=own)).identity

    def test_hashing_is_refused_in_production(self) -> None:
        with pytest.raises(EmbedderMisconfigured, match="tests only"):
            build_embedder(EmbedderOptions(provider="hashing", environment="production"))

    def test_hashing_is_built_elsewhere(self) -> None:
        assert build_embedder(EmbedderOptions(provider="hashing", environment="test", dimensions=64)).dimensions == 64

    def test_openai_itself_needs_a_key(self) -> None:
        with pytest.raises(EmbedderMisconfigured, match="API key"):
            build_embedder(EmbedderOptions(provider="openai"))

    def test_openai_knows_its_lengths_without_asking(self) -> None:
        embedder = build_embedder(EmbedderOptions(provider="openai", openai_api_key="sk-x"))
        assert (embedder.name, embedder.dimensions) == ("openai:text-embedding-3-small", 1536)

    def test_an_unknown_provider_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(EmbedderMisconfigured, match="local, openai, hashing"):
            build_embedder(EmbedderOptions(provider="cohere"))

    def test_the_key_is_not_shown(self) -> None:
        assert "sk-secret" not in repr(EmbedderOptions(provider="openai", openai_api_key="sk-secret"))
