import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from app.embeddings.process import PerProcess


class TestPerProcess:
    def test_threads_that_come_at_once_share_one_value(self) -> None:
        built: list[object] = []
        together = threading.Barrier(8)

        def build() -> object:
            built.append(object())
            return built[-1]

        value = PerProcess(build)
        got: list[object] = []

        def ask() -> None:
            together.wait()
            got.append(value.get())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(built) == 1
        assert got == built * 8

    def test_a_failed_build_is_tried_again(self) -> None:
        outcomes: Iterator[int | ValueError] = iter([ValueError("not yet"), 7])

        def build() -> int:
            outcome = next(outcomes)
            if isinstance(outcome, ValueError):
                raise outcome
            return outcome

        value = PerProcess(build)
        with pytest.raises(ValueError, match="not yet"):
            value.get()
        assert value.get() == 7

    def test_what_was_taken_is_built_anew(self) -> None:
        numbers = iter(range(9))
        value = PerProcess(lambda: next(numbers))
        assert value.take() is None
        assert (value.get(), value.take(), value.get()) == (0, 0, 1)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
    def test_a_child_builds_its_own_even_when_the_parent_was_building_at_the_fork(self) -> None:
        code = """
import os, sys, threading
from app.embeddings.process import PerProcess

started, go_on = threading.Event(), threading.Event()

def build():
    if os.getpid() == parent:
        started.set()
        go_on.wait()
    return os.getpid()

parent = os.getpid()
value = PerProcess(build)
builder = threading.Thread(target=value.get)
builder.start()
started.wait()
child = os.fork()
if child == 0:
    os._exit(0 if value.get() == os.getpid() else 1)
status = os.waitpid(child, 0)[1]
go_on.set()
builder.join()
sys.exit(os.waitstatus_to_exitcode(status) or value.get() != parent)
"""
        assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0
