"""The cache that lets Neo4j start in half the time: for which Java it is, and that Java takes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from app.cli.fetch import exercise
from app.local.home import Home
from app.local.java import Java, find_java
from app.local.java_cache import SINCE, flags, place
from app.local.java_training import fits, make_cache
from tests.local.small import small

JAVA = Java(Path("/opt/java"), 25, "test", build='JAVA_VERSION="25.0.2"')


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path).create()


class TestPlace:
    def test_is_another_for_each_neo4j_and_java(self, home: Home) -> None:
        others = (replace(JAVA, build='JAVA_VERSION="25.0.3"'), replace(JAVA, vectors=True))
        found = {place(home, "2026.09.0", JAVA), place(home, "2026.10.0", JAVA)}
        found |= {place(home, "2026.09.0", other) for other in others}
        assert len(found) == 4
        assert all(path and path.parent == home.artifacts for path in found)

    @pytest.mark.parametrize("java", [replace(JAVA, major=SINCE - 1), replace(JAVA, build="")])
    def test_is_nowhere_for_a_java_that_has_none(self, home: Home, java: Java) -> None:
        assert place(home, "2026.09.0", java) is None
        assert flags(home, "2026.09.0", java) == []

    def test_is_named_to_java_once_it_is_there(self, home: Home) -> None:
        path = place(home, "2026.09.0", JAVA)
        assert path is not None
        assert flags(home, "2026.09.0", JAVA) == []
        path.write_bytes(b"cache")
        assert f"-XX:AOTCache={path}" in flags(home, "2026.09.0", JAVA)


@pytest.mark.slow
class TestServer:
    def test_starts_from_the_cache_whatever_home_it_has(self, artifacts: Path, real_home: Home) -> None:
        java = find_java()
        assert java.major >= SINCE
        path = make_cache(Home(artifacts.parent), exercise)
        assert path is not None
        neo4j = small(real_home)
        assert fits(path, java, neo4j.class_path())
        server = neo4j.start()
        try:
            assert f"-XX:AOTCache={real_home.artifacts / path.name}" in psutil.Process(server.pid).cmdline()
        finally:
            neo4j.stop()

    def test_starts_all_the_same_from_one_that_is_damaged(self, artifacts: Path, tmp_path: Path) -> None:
        own = Home(tmp_path / "home")
        own.path.mkdir()
        own.artifacts.mkdir(mode=0o700)
        for each in artifacts.iterdir():
            if each.is_dir():
                (own.artifacts / each.name).symlink_to(each, target_is_directory=True)
        neo4j = small(own)
        path = place(own, neo4j.version, find_java())
        assert path is not None
        path.write_bytes(b"no cache at all")
        assert not fits(path, find_java(), neo4j.class_path())
        neo4j.start()
        neo4j.stop()
