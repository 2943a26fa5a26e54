"""How models are named, and kept in the database."""

from pathlib import Path

import pytest

from app.embeddings import EmbedderMisconfigured, EmbedderOptions
from app.embeddings.spec import ModelSpec, of_settings, parsed, restored


class TestNames:
    @pytest.mark.parametrize(
        ("name", "dimensions", "found"),
        [
            ("minilm", 0, ModelSpec("local", "minilm")),
            ("local:bge-small", 0, ModelSpec("local", "bge-small")),
            ("openai:text-embedding-3-large", 256, ModelSpec("openai", "text-embedding-3-large", dimensions=256)),
            ("openai:org/some:model", 0, ModelSpec("openai", "org/some:model")),
            ("hashing:128", 0, ModelSpec("hashing", dimensions=128)),
        ],
    )
    def test_say_provider_model_and_length(self, name: str, dimensions: int, found: ModelSpec) -> None:
        assert parsed(name, dimensions) == found

    def test_of_a_folder_are_kept_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "mine").mkdir()
        monkeypatch.chdir(tmp_path)
        assert parsed("local:mine") == ModelSpec("local", path=str(tmp_path / "mine"))

    @pytest.mark.parametrize(("name", "dimensions"), [("nothing", 0), ("mars:x", 0), ("minilm", 12), ("local:/no", 0)])
    def test_that_mean_nothing_are_refused_with_a_remedy(self, name: str, dimensions: int) -> None:
        with pytest.raises(EmbedderMisconfigured) as caught:
            parsed(name, dimensions)
        assert caught.value.remedy


class TestKeeping:
    def test_gives_back_what_was_stored(self) -> None:
        spec = ModelSpec("openai", "some-model", dimensions=512)
        assert restored(spec.stored()) == spec

    def test_holds_no_secret(self) -> None:
        options = EmbedderOptions(provider="openai", model="m", openai_api_key="secret", openai_base_url="http://x")
        assert "secret" not in of_settings(options).stored()

    def test_settings_keep_their_keys_and_addresses_for_another_model(self) -> None:
        options = EmbedderOptions(provider="local", openai_api_key="secret", openai_base_url="http://x", threads=2)
        found = ModelSpec("openai", "m", dimensions=3).options(options)
        assert (found.provider, found.model, found.dimensions, found.model_path) == ("openai", "m", 3, None)
        assert (found.openai_api_key, found.openai_base_url, found.threads) == ("secret", "http://x", 2)

    def test_settings_and_spec_say_the_same(self, tmp_path: Path) -> None:
        options = EmbedderOptions(provider="local", model_path=tmp_path)
        assert of_settings(of_settings(options).options(options)) == of_settings(options)
