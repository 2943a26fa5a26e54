from pathlib import Path

import pytest

from app.local.errors import ServerError
from app.local.java import Java
from app.local.neo4j_config import Memory, ServerConfig, command, machine_memory, password_command, render, size_memory

MB = 1 << 20
GB = 1 << 30


def config(major: int = 25, *, vectors: bool = False) -> ServerConfig:
    java = Java(Path("/j/bin/java"), major, "test", vectors)
    return ServerConfig("1.0", Path("/h/neo4j"), Path("/h/logs"), 7001, 7002, Memory(800 * MB, 256 * MB), java)


class TestMemory:
    @pytest.mark.parametrize("total", [GB, 2 * GB, 4 * GB, 8 * GB, 24 * GB, 512 * GB])
    def test_heap_and_page_cache_leave_room_for_the_rest(self, total: int) -> None:
        memory = size_memory(total)
        assert memory.heap >= min(500 * MB, total * 2 // 5 - MB)
        assert memory.heap <= 4 * GB
        assert memory.heap + memory.page_cache <= total * 55 // 100

    def test_sizes_that_are_set_are_taken(self) -> None:
        assert size_memory(64 * GB, "1g", "512m") == Memory(GB, 512 * MB)
        assert size_memory(64 * GB, "2 GB", "65536K") == Memory(2 * GB, 64 * MB)

    @pytest.mark.parametrize("text", ["1", "g", "-1g", "1.5g", "1t", "8m", "lots"])
    def test_a_size_that_is_none_names_its_setting(self, text: str) -> None:
        with pytest.raises(ServerError, match="LOCI_NEO4J_HEAP"):
            size_memory(GB, text)
        with pytest.raises(ServerError, match="LOCI_NEO4J_PAGE_CACHE"):
            size_memory(GB, None, text)

    def test_the_machine_has_some(self) -> None:
        assert machine_memory() > 256 * MB

    def test_a_containers_limit_counts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        limit = tmp_path / "memory.max"
        limit.write_text("536870912\n")
        monkeypatch.setattr("app.local.neo4j_config._CGROUP_LIMITS", (str(limit),))
        assert machine_memory() == 512 * MB
        limit.write_text("max\n")
        assert machine_memory() > 512 * MB


class TestFile:
    def test_every_listener_is_on_loopback(self) -> None:
        for line in render(config()).splitlines():
            if "address" in line:
                assert line.split("=")[1].startswith("127.0.0.1")

    def test_no_setting_stands_twice(self) -> None:
        keys = [line.split("=")[0] for line in render(config()).splitlines() if not line.startswith("#")]
        assert len(keys) == len(set(keys))

    def test_nothing_is_reported_to_anybody(self) -> None:
        text = render(config())
        for key in ("dbms.usage_report.enabled", "client.allow_telemetry", "dbms.fleet_manager.enabled"):
            assert f"{key}=false\n" in text


class TestCommand:
    def test_an_option_of_newer_machines_is_kept_from_older_ones(self) -> None:
        option = "--sun-misc-unsafe-memory-access=allow"
        assert option in command(config(25), "x")
        assert option not in command(config(21), "x")

    def test_the_vector_module_is_added_where_it_is(self) -> None:
        option = "--add-modules=jdk.incubator.vector"
        assert option in command(config(vectors=True), "x")
        assert option not in command(config(), "x")

    def test_the_heap_is_what_was_asked_for(self) -> None:
        assert "-Xmx800m" in command(config(), "x")

    def test_the_password_is_read_from_its_file(self) -> None:
        assert password_command(config(), "x", Path("/h/secrets/p"))[-1] == "@/h/secrets/p"
