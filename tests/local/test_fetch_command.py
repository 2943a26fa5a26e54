"""`loci fetch`, with the artifacts of a made-up lock."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.fetch import fetch as fetch_command
from app.config import Settings
from app.local.errors import ServerError
from app.local.managed import needed_artifacts


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LOCI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("app.local.download._PAUSES", (0.0, 0.0))
    return tmp_path / "home"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(fetch_command, arguments)


class TestNeeded:
    def test_a_bare_machine_needs_server_browser_model_and_pages(self) -> None:
        assert needed_artifacts(Settings()) == ["neo4j", "browser", "bge-small", "api-docs"]

    def test_with_a_server_of_ones_own_model_and_pages_are_enough(self) -> None:
        assert needed_artifacts(Settings(neo4j_uri="bolt://db:7687", neo4j_password="x")) == ["bge-small", "api-docs"]

    def test_a_named_model_is_fetched_instead(self) -> None:
        assert "minilm" in needed_artifacts(Settings(embedding_model="minilm"))

    def test_a_remote_model_needs_no_file_but_the_pages(self) -> None:
        settings = Settings(embedder="openai", openai_api_key="x", neo4j_uri="bolt://db:7687", neo4j_password="x")
        assert needed_artifacts(settings) == ["api-docs"]


class TestCommand:
    def test_what_is_there_is_named(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.cli.fetch.fetch_artifact", lambda name, home, *rest, verify: home.artifacts / name)
        monkeypatch.setattr("app.cli.fetch.make_cache", lambda home, *rest: home.artifacts / "java.aot")
        answer = run()
        assert answer.exit_code == 0
        named = [line.split(":")[0] for line in answer.output.splitlines()]
        assert named == ["neo4j", "browser", "bge-small", "api-docs", "java-cache"]
        assert answer.output.count(str(home)) == len(named)

    @pytest.mark.parametrize(
        "error", [ServerError("Java made no cache.", "Loci works without one."), OSError(28, "full")]
    )
    def test_java_without_its_cache_is_no_failure(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def broken(*given: object) -> None:
            raise error

        monkeypatch.setattr("app.cli.fetch.fetch_artifact", lambda name, home, *rest, verify: home.artifacts / name)
        monkeypatch.setattr("app.cli.fetch.make_cache", broken)
        answer = run()
        assert answer.exit_code == 0
        assert "java-cache: none" in answer.output

    def test_without_a_network_there_is_one_error_with_remedies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOCI_MAVEN_URL", "http://127.0.0.1:9/maven")
        answer = run("neo4j")
        assert answer.exit_code == 1
        assert answer.output.count("Error:") == 1
        assert "LOCI_MAVEN_URL" in answer.output
        assert "Traceback" not in answer.output

    def test_a_wrong_setting_is_reported_before_anything_is_fetched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOCI_HOEM", "x")
        answer = run()
        assert answer.exit_code == 1
        assert "did you mean LOCI_HOME" in answer.output

    def test_an_unknown_artifact_is_refused_with_the_known_ones(self) -> None:
        answer = run("postgres")
        assert answer.exit_code == 2
        assert "bge-small" in answer.output
