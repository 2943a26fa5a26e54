"""Settings: read from the environment, all mistakes told at once, secrets never shown."""

from __future__ import annotations

import os

import pytest

from app.config import SETTINGS, ConfigError, Settings, load_settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every setting out of the environment."""
    for name in [*os.environ]:
        if name.startswith(("LOCI_", "NEO4J_", "OPENAI_")) or name == "REDIS_URL":
            monkeypatch.delenv(name)


def problem(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """Return what is said about wrong settings."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    return str(caught.value)


class TestReading:
    def test_nothing_set_is_the_defaults(self) -> None:
        assert load_settings() == Settings()

    def test_an_empty_variable_counts_as_unset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOCI_PORT", "")
        monkeypatch.setenv("LOCI_RATE_LIMIT", "")
        assert load_settings() == Settings()

    def test_values_get_their_kind(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOCI_PORT", "0")
        monkeypatch.setenv("LOCI_LLM_TIMEOUT", "2.5")
        monkeypatch.setenv("LOCI_ENVIRONMENT", "development")
        found = load_settings()
        assert (found.port, found.llm_timeout, found.environment) == (0, 2.5, "development")

    def test_home_is_made_absolute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/srv/somebody")
        assert str(load_settings().home_path) == "/srv/somebody/.loci"
        monkeypatch.setenv("LOCI_HOME", "here")
        assert load_settings().home_path.is_absolute()

    def test_an_own_neo4j_means_none_is_managed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert load_settings().managed
        monkeypatch.setenv("NEO4J_URI", "neo4j://db")
        monkeypatch.setenv("NEO4J_PASSWORD", "x")
        assert not load_settings().managed

    @pytest.mark.parametrize("value", ["100/minute", "5 per second", "10/second;1000/day", "unlimited"])
    def test_a_rate_limit_may_be_written_so(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("LOCI_RATE_LIMIT", value)
        assert load_settings().rate_limit == value


class TestMistakes:
    def test_are_all_told_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text = problem(monkeypatch, LOCI_PORT="many", LOCI_THREADS="0", LOCI_EMBEDDER="magic", LOCI_PROT="1")
        assert [name for name in ("LOCI_PORT", "LOCI_THREADS", "LOCI_EMBEDDER", "LOCI_PROT") if name not in text] == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("LOCI_PORT", "65536"),
            ("LOCI_PORT", "-1"),
            ("LOCI_WORKERS", "0"),
            ("LOCI_LOG_LEVEL", "loud"),
            ("LOCI_ENVIRONMENT", "prod"),
            ("LOCI_LLM_TIMEOUT", "0"),
            ("LOCI_EMBEDDING_DIMENSIONS", "1.5"),
            ("LOCI_RATE_LIMIT", "often"),
            ("LOCI_RATE_LIMIT", "100"),
            ("LOCI_KEY_PEPPER", "abc"),
        ],
    )
    def test_name_the_variable(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        assert f"{name}: " in problem(monkeypatch, **{name: value})

    def test_in_a_name_suggest_the_right_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "did you mean LOCI_EMBEDDER?" in problem(monkeypatch, LOCI_EMBEDER="local")

    def test_never_show_a_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "hunter2" not in problem(monkeypatch, LOCI_KEY_PEPPER="hunter2", LOCI_PORT="x")

    def test_of_test_variables_are_nobodys_business(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOCI_TEST_ANYTHING", "1")
        assert load_settings() == Settings()


class TestContradiction:
    def test_several_processes_need_a_shared_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "needs REDIS_URL" in problem(monkeypatch, LOCI_WORKERS="2")
        monkeypatch.setenv("REDIS_URL", "redis://localhost")
        assert load_settings().workers == 2

    def test_the_hashing_embedder_is_not_for_production(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "LOCI_EMBEDDER" in problem(monkeypatch, LOCI_EMBEDDER="hashing")
        monkeypatch.setenv("LOCI_ENVIRONMENT", "test")
        assert load_settings().embedder == "hashing"

    def test_an_own_neo4j_needs_its_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "NEO4J_PASSWORD" in problem(monkeypatch, NEO4J_URI="bolt://db")


class TestShown:
    def test_masks_secrets_and_names_everything_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
        shown = load_settings().shown()
        assert shown.keys() == {setting.variable for setting in SETTINGS}
        assert (shown["OPENAI_API_KEY"], shown["REDIS_URL"], shown["LOCI_PORT"]) == ("set", "", "8000")
        assert "sk-secret" not in str(shown)
