"""One whole server for all tests of this folder that do not harm it."""

from collections.abc import Iterator

import pytest

from tests.live.server import Live, running


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A running `loci serve` with the default embedder."""
    with running(tmp_path_factory.mktemp("live")) as server:
        yield server
