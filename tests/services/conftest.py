"""Notebooks for the tests of services."""

import dataclasses

import pytest

from app.services.words import WordCounts
from app.state import State
from tests.notebook import Meaning, Notebook, notebook_of


@pytest.fixture
def shared(parts: State) -> State:
    """The state with an embedder that knows synonyms, and fresh counts of words."""
    return dataclasses.replace(parts, embedder=Meaning(), words=WordCounts())


@pytest.fixture
def notes(shared: State) -> Notebook:
    """A fresh tenant."""
    return notebook_of(shared)
