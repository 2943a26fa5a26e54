"""Callers of the Sendryx API: each with a key that was made for it, in a namespace of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from app.compat.sendryx import SENDRYX
from app.state import State
from tests.callers import Caller
from tests.compat.speakers import speaker


@pytest.fixture
def speak(app: Flask, parts: State) -> Callable[..., Caller]:
    """Make callers: `speak("read", namespace_of=other)`; without scopes they have those of every Sendryx key."""

    def make(*scopes: str, namespace_of: Caller | None = None, name: str = "helpdesk") -> Caller:
        return speaker(app, parts, SENDRYX, *scopes, namespace_of=namespace_of, name=name)

    return make


@pytest.fixture
def caller(speak: Callable[..., Caller]) -> Caller:
    """A caller in a fresh namespace `helpdesk`."""
    return speak()


@pytest.fixture
def stranger(speak: Callable[..., Caller]) -> Caller:
    """A caller in another account, in a namespace of the same name."""
    return speak()
