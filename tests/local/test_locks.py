"""The lock files are complete and well formed. What Maven says of them: `scripts/lock_artifacts.py --check`."""

import re
import tomllib

import pytest

from app.local.lockfile import FOLDER, Lock, load_lock, lock_names
from scripts.lock_artifacts import SPECS

pytestmark = pytest.mark.static


@pytest.fixture(params=lock_names())
def lock(request: pytest.FixtureRequest) -> Lock:
    return load_lock(request.param)


class TestEveryLock:
    def test_has_a_recipe_and_follows_it(self, lock: Lock) -> None:
        spec = SPECS[lock.name]
        assert (lock.version, lock.title, lock.roots) == (spec.version, spec.title, spec.roots)
        assert dict(lock.facts) == spec.facts

    def test_holds_what_it_was_asked_for(self, lock: Lock) -> None:
        assert set(lock.roots) <= {file.coordinate for file in lock.files}

    def test_is_sorted_and_names_nothing_twice(self, lock: Lock) -> None:
        coordinates = [file.coordinate for file in lock.files]
        assert coordinates == sorted(set(coordinates))
        names = [target.name for target in lock.targets]
        assert len(names) == len(set(names))

    def test_has_one_version_of_each_jar(self, lock: Lock) -> None:
        keys = [(file.parts[0], file.parts[1], file.parts[3]) for file in lock.files]
        assert len(keys) == len(set(keys))

    def test_has_a_digest_and_a_size_for_every_file(self, lock: Lock) -> None:
        facts = [(file.sha256, file.size) for file in lock.files]
        facts += [(target.sha256, target.size) for target in lock.targets]
        for sha256, size in facts:
            assert re.fullmatch(r"[0-9a-f]{64}", sha256)
            assert size > 0

    def test_unpacks_to_plain_names_only(self, lock: Lock) -> None:
        assert all(re.fullmatch(r"[\w.+-]+", target.name) for target in lock.targets)

    def test_names_no_address(self, lock: Lock) -> None:
        text = (FOLDER / f"{lock.name}.toml").read_text(encoding="utf-8")
        assert "://" not in text
        assert set(tomllib.loads(text)) <= {"name", "version", "title", "roots", "files", "facts"}

    def test_digest_is_that_of_the_file(self, lock: Lock) -> None:
        assert re.fullmatch(r"[0-9a-f]{64}", lock.digest)


class TestNeo4j:
    def test_has_the_jars_maven_resolves(self) -> None:
        lock = load_lock("neo4j")
        assert len(lock.files) == 230
        assert 150_000_000 < sum(file.size for file in lock.files) < 170_000_000

    def test_has_no_jar_of_the_test_scope(self) -> None:
        names = {file.parts[1] for file in load_lock("neo4j").files}
        assert not {name for name in names if re.search(r"junit|mockito|byte-buddy|assertj|hamcrest|jmh", name)}


class TestModels:
    @pytest.mark.parametrize("name", ["bge-small", "minilm"])
    def test_unpack_to_the_two_files_an_embedder_reads(self, name: str) -> None:
        assert {target.name for target in load_lock(name).targets} == {"model.onnx", "tokenizer.json"}


def test_every_recipe_has_its_lock() -> None:
    assert lock_names() == sorted(SPECS)


def test_an_unknown_lock_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        load_lock("nothing")
