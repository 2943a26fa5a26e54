import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.local.errors import HomeError
from app.local.home import Home, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


class TestCreate:
    def test_folders_are_closed_to_others(self, home: Home) -> None:
        home.create()
        for folder in (home.path, home.artifacts, home.neo4j, home.logs, home.secrets):
            assert mode(folder) == 0o700

    def test_folders_that_were_open_are_closed(self, home: Home) -> None:
        home.secrets.mkdir(parents=True, mode=0o755)
        home.create()
        assert mode(home.secrets) == 0o700

    def test_an_existing_home_keeps_its_own_mode(self, home: Home) -> None:
        home.path.mkdir()
        home.path.chmod(0o750)
        home.create()
        assert mode(home.path) == 0o750

    def test_a_home_that_cannot_be_made_names_the_setting(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(HomeError, match="LOCI_HOME"):
            Home(tmp_path / "file" / "home").create()

    def test_tilde_stands_for_the_users_folder(self) -> None:
        assert Home("~/x").path == Path.home() / "x"


class TestSecrets:
    def test_they_are_long_private_and_different(self, home: Home) -> None:
        assert len(bytes.fromhex(home.pepper())) == 32
        assert len(bytes.fromhex(home.neo4j_password())) == 24
        assert {mode(path) for path in home.secrets.iterdir()} == {0o600}
        assert home.pepper() != home.neo4j_password()

    def test_they_stay_the_same(self, home: Home) -> None:
        assert home.pepper() == Home(home.path).pepper()

    def test_processes_that_start_together_agree(self, home: Home) -> None:
        code = f"from app.local.home import Home; print(Home({str(home.path)!r}).pepper())"
        racers = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
        answers = {racer.communicate()[0] for racer in racers}
        assert answers == {home.pepper() + "\n"}

    @pytest.mark.parametrize("damaged", ["", "abc", "g" * 64])
    def test_a_damaged_one_is_refused_and_never_replaced(self, home: Home, damaged: str) -> None:
        home.pepper()
        path = home.secrets / "key-pepper"
        path.write_text(damaged)
        with pytest.raises(HomeError, match="key-pepper is damaged"):
            home.pepper()
        assert path.read_text() == damaged


class TestCredentials:
    def test_what_is_written_is_read_back_and_private(self, home: Home) -> None:
        home.write_credentials({"base_url": "http://127.0.0.1:8000"})
        home.write_credentials({"base_url": "http://127.0.0.1:9000"})
        assert home.read_credentials() == {"base_url": "http://127.0.0.1:9000"}
        assert mode(home.credentials) == 0o600
        assert not list(home.path.glob(".credentials*"))

    def test_none_are_an_empty_answer(self, home: Home) -> None:
        assert home.read_credentials() == {}

    @pytest.mark.parametrize("damaged", ["{", "[]"])
    def test_a_damaged_file_says_what_to_do(self, home: Home, damaged: str) -> None:
        home.create()
        home.credentials.write_text(damaged)
        with pytest.raises(HomeError, match="Delete it"):
            home.read_credentials()

    def test_a_write_that_fails_leaves_the_old_text(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        write_private(path, "old")
        with pytest.raises(UnicodeEncodeError):
            write_private(path, "new \udc80")
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]
