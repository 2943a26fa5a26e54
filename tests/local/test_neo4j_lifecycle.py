"""Who starts, shares and ends a server, with a stand-in for Java, so that every mishap can be arranged."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.local.errors import PortTakenError, ServerError
from app.local.home import Home
from app.local.neo4j import ManagedNeo4j
from app.local.neo4j_place import Place
from app.local.neo4j_process import Facts, Process, Record, choose_ports, listens, lost_port, tail
from tests.local.waiting import eventually

FAKE = Path(__file__).with_name("fake_server.py")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel ends a child with its parent")

# What another process of Loci does: start, tell, wait to be told to stop.
OTHER = """
import sys
from pathlib import Path
from tests.local.test_neo4j_lifecycle import managed, patch
patch(setattr)
server = managed(Path(sys.argv[1])).start(timeout=20)
print("attached" if server.attached else "launched", server.pid, flush=True)
sys.stdin.readline()
"""


def patch(setter: Callable[..., None]) -> None:
    """Put the stand-in in the place of what only real artifacts and a real server can do."""
    import app.local.neo4j as module

    setter(module, "fetch", lambda name, home, *rest: home.artifacts / name)
    setter(Place, "ready", lambda self, facts: listens(facts.bolt_port) and listens(facts.http_port))


def managed(home: Path, bolt: int = 0, http: int = 0) -> ManagedNeo4j:
    return ManagedNeo4j(Home(home), bolt, http, java=home / "java")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with the stand-in; whatever runs there at the end of a test is killed."""
    patch(monkeypatch.setattr)
    home = Home(tmp_path / "home").create()
    launcher = home.path / "java"
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    launcher.chmod(0o755)
    yield home.path
    record = Place(home).record()
    for process in (record.guard, record.java) if record else ():
        if process.alive():
            os.kill(process.pid, signal.SIGKILL)


def other(home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", OTHER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def told(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def finish(process: "subprocess.Popen[str]", *, kill: bool = False) -> None:
    if kill:
        process.kill()
    process.communicate("\n" if not kill else None, timeout=30)


def running(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped by somebody else does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def gone(home: Path) -> bool:
    return eventually(lambda: managed(home).status().state == "stopped")


def runs(home: Path) -> list[str]:
    return (home / "neo4j" / "runs").read_text().splitlines()


class TestStartAndStop:
    def test_a_started_server_is_described_and_a_stopped_one_is_gone(self, home: Path) -> None:
        neo4j = managed(home)
        server = neo4j.start(timeout=20)
        port = int(server.bolt_url.rsplit(":", 1)[1])
        assert (server.attached, server.detached, server.owner) == (False, False, os.getpid())
        assert neo4j.alive()
        assert neo4j.status().state == "running"
        assert neo4j.stop() is True
        assert not listens(port)
        assert not running(server.pid)
        assert neo4j.status().state == "stopped"
        assert not neo4j.alive()

    def test_the_password_does_not_show_where_a_server_is_printed(self, home: Path) -> None:
        neo4j = managed(home)
        server = neo4j.start(timeout=20)
        assert server.password not in repr(server)
        neo4j.stop()

    def test_the_server_sees_no_secret_and_no_foreign_java_option(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
        monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1m")
        neo4j = managed(home)
        neo4j.start(timeout=20)
        neo4j.stop()
        assert "OPENAI_API_KEY" not in runs(home)[0]
        assert "JAVA_TOOL_OPTIONS" not in runs(home)[0]

    def test_stopping_what_was_not_started_is_harmless(self, home: Path) -> None:
        assert managed(home).stop() is False
        assert managed(home).end() is False

    def test_a_server_that_ignores_the_order_is_killed(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.local.neo4j_launch.STOP_TIMEOUT", 1)
        (home / "neo4j" / "stubborn").touch()
        neo4j = managed(home)
        server = neo4j.start(timeout=20)
        assert neo4j.stop() is True
        assert not running(server.pid)

    def test_a_server_that_died_is_started_anew(self, home: Path) -> None:
        neo4j = managed(home)
        first = neo4j.start(timeout=20)
        os.kill(first.pid, signal.SIGKILL)
        assert eventually(lambda: not neo4j.alive())
        second = neo4j.start(timeout=20)
        assert not second.attached
        assert second.pid != first.pid
        neo4j.stop()


class TestFailures:
    def test_one_that_ends_at_once_shows_its_last_words(self, home: Path) -> None:
        (home / "neo4j" / "crash").touch()
        with pytest.raises(ServerError, match="the store is upside down"):
            managed(home).start(timeout=20)
        assert managed(home).status().state == "stopped"

    def test_one_that_never_answers_is_given_up_and_leaves_nothing(self, home: Path) -> None:
        (home / "neo4j" / "mute").touch()
        with pytest.raises(ServerError, match="did not answer in time"):
            managed(home).start(timeout=1)
        assert managed(home).status().state == "stopped"

    def test_words_of_an_earlier_run_are_not_shown(self, home: Path) -> None:
        (home / "neo4j" / "crash").touch()
        with pytest.raises(ServerError):
            managed(home).start(timeout=20)
        (home / "neo4j" / "crash").rename(home / "neo4j" / "mute")
        with pytest.raises(ServerError) as caught:
            managed(home).start(timeout=1)
        assert "upside down" not in caught.value.message

    def test_memory_that_is_no_size_is_refused_before_anything_runs(self, home: Path) -> None:
        with pytest.raises(ServerError, match="LOCI_NEO4J_HEAP"):
            ManagedNeo4j(Home(home), 0, 0, heap="much", java=home / "java").start()


class TestPorts:
    @pytest.mark.parametrize(("place", "setting"), [(0, "LOCI_NEO4J_BOLT_PORT"), (1, "LOCI_NEO4J_HTTP_PORT")])
    def test_a_port_that_is_taken_names_its_setting(self, home: Path, place: int, setting: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as owner:
            port = owner.getsockname()[1]
            with pytest.raises(PortTakenError) as caught:
                managed(home, *((port, 0) if place == 0 else (0, port))).start(timeout=20)
        assert f"Port {port} is taken" in caught.value.message
        assert setting in caught.value.remedy

    def test_a_port_lost_to_another_process_is_picked_again(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as owner:
            lost = owner.getsockname()[1]
            picks = iter([(lost, choose_ports(0, 0)[1]), choose_ports(0, 0)])
            monkeypatch.setattr("app.local.neo4j_launch.choose_ports", lambda bolt, http: next(picks))
            neo4j = managed(home)
            server = neo4j.start(timeout=20)
            assert server.bolt_url != f"bolt://127.0.0.1:{lost}"
            assert len(runs(home)) == 2
            neo4j.stop()

    def test_a_given_port_lost_while_starting_names_its_setting(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as owner:
            lost = owner.getsockname()[1]
            monkeypatch.setattr("app.local.neo4j_launch.choose_ports", lambda bolt, http: (bolt, choose_ports(0, 0)[1]))
            with pytest.raises(PortTakenError, match="LOCI_NEO4J_BOLT_PORT"):
                managed(home, lost).start(timeout=20)

    def test_picked_ports_differ(self) -> None:
        bolt, http = choose_ports(0, 0)
        assert bolt != http

    @pytest.mark.parametrize(
        ("text", "port"),
        [
            ("trying to bind to the socket /127.0.0.1:17687]", 17687),
            ("Address 127.0.0.1:17474 is already in use, cannot bind to it.", 17474),
            ("the disk is full", None),
        ],
    )
    def test_the_servers_words_for_a_taken_port_are_understood(self, text: str, port: int | None) -> None:
        assert lost_port(text) == port


class TestSharing:
    def test_two_that_start_at_once_share_one_server(self, home: Path) -> None:
        racers = [other(home) for _ in range(3)]
        answers = [told(racer) for racer in racers]
        assert sorted(words[0] for words in answers) == ["attached", "attached", "launched"]
        assert len({words[1] for words in answers}) == 1
        for racer in racers:
            finish(racer)
        assert gone(home)
        assert len(runs(home)) == 1

    def test_the_server_stays_while_anyone_uses_it(self, home: Path) -> None:
        owner = other(home)
        told(owner)
        neo4j = managed(home)
        assert neo4j.start(timeout=20).attached
        finish(owner, kill=True)
        time.sleep(0.2)  # long enough for a guard that is wrong to begin its work
        assert neo4j.alive()
        assert neo4j.stop() is True
        assert gone(home)

    def test_the_starter_may_leave_first(self, home: Path) -> None:
        neo4j = managed(home)
        neo4j.start(timeout=20)
        guest = other(home)
        assert told(guest)[0] == "attached"
        assert neo4j.stop() is False
        assert managed(home).status().state == "running"
        finish(guest)
        assert gone(home)

    def test_one_of_another_version_is_refused(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        neo4j = managed(home)
        neo4j.start(timeout=20)
        newer = managed(home)
        monkeypatch.setattr(newer, "version", "9999.1")
        with pytest.raises(ServerError, match=r"this one needs 9999\.1"):
            newer.start(timeout=20)
        neo4j.stop()


class TestOrphans:
    def test_none_is_left_when_the_parent_is_killed(self, home: Path) -> None:
        parent = other(home)
        pid = int(told(parent)[1])
        finish(parent, kill=True)
        assert gone(home)
        assert not running(pid)

    @linux
    def test_none_is_left_when_the_guard_is_killed(self, home: Path) -> None:
        neo4j = managed(home)
        server = neo4j.start(timeout=20)
        guard = psutil.Process(server.pid).parent()
        assert guard is not None
        guard.kill()
        assert gone(home)
        assert not running(server.pid)
        neo4j.stop()

    @linux
    def test_one_that_stayed_is_stopped_by_the_next_start(self, home: Path) -> None:
        (home / "neo4j" / "orphan").touch()
        first = managed(home)
        orphan = first.start(timeout=20)
        os.kill(psutil.Process(orphan.pid).ppid(), signal.SIGKILL)
        assert eventually(lambda: managed(home).status().state == "orphaned")
        second = managed(home)
        server = second.start(timeout=20)
        assert not server.attached
        assert not running(orphan.pid)
        first.stop()
        second.stop()

    @linux
    @pytest.mark.parametrize("way", ["stop", "end"])
    def test_one_that_stayed_can_be_stopped(self, home: Path, way: str) -> None:
        (home / "neo4j" / "orphan").touch()
        neo4j = managed(home)
        orphan = neo4j.start(timeout=20)
        os.kill(psutil.Process(orphan.pid).ppid(), signal.SIGKILL)
        assert eventually(lambda: not neo4j.alive())
        assert getattr(neo4j, way)() is True
        assert not running(orphan.pid)


class TestDetached:
    def test_it_outlives_its_starter_and_ends_when_told(self, home: Path) -> None:
        code = OTHER.replace("timeout=20", "timeout=20, detached=True")
        starter = subprocess.run(
            [sys.executable, "-c", code, str(home)], input="\n", capture_output=True, text=True, check=True
        )
        pid = int(starter.stdout.split()[1])
        neo4j = managed(home)
        server = neo4j.start(timeout=20)
        assert (server.pid, server.attached, server.detached) == (pid, True, True)
        assert neo4j.stop() is False
        assert running(pid)
        assert managed(home).end() is True
        assert not running(pid)

    def test_it_is_not_ended_under_a_loci_that_uses_it(self, home: Path) -> None:
        starter = managed(home)
        starter.start(timeout=20, detached=True)
        starter.stop()
        user = managed(home)
        user.start(timeout=20)
        with pytest.raises(ServerError, match="in use by a running Loci"):
            managed(home).end()
        assert managed(home).end(force=True) is True
        user.stop()


class TestRecord:
    def test_a_number_that_was_given_to_another_process_is_not_taken_for_it(self) -> None:
        mine = psutil.Process()
        assert Process(mine.pid, mine.create_time()).alive()
        assert not Process(mine.pid, mine.create_time() - 100).alive()

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"guard": [1, 2], "java": 3}'])
    def test_a_damaged_record_counts_as_none(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "server.json"
        path.write_text(text)
        assert Record.read(path) is None

    def test_a_record_of_a_later_version_is_still_read(self, tmp_path: Path) -> None:
        path = tmp_path / "server.json"
        path.write_text(
            '{"version": "1", "bolt_port": 1, "http_port": 2, "detached": true, "owner": 3, "new": 0,'
            ' "guard": [4, 5.0], "java": [6, 7.0]}'
        )
        assert Record.read(path) == Record(Facts("1", 1, 2, True, 3), Process(4, 5.0), Process(6, 7.0))


def test_the_end_of_a_log_is_shown_from_where_a_run_began(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    begin = path.stat().st_size
    with path.open("a") as file:
        file.write("one\ntwo\nthree\n")
    assert tail(path, 2) == ["two", "three"]
    assert tail(path, 10, begin) == ["one", "two", "three"]
    assert tail(tmp_path / "missing", 10) == []
