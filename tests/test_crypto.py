"""Secrets at rest open where they belong, under the key that sealed them, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config import ConfigError, Settings, load_settings
from app.crypto import SealBroken, Vault, key_digest, same, sealed_by
from app.local.errors import HomeError, LocalError
from app.local.home import Home
from app.vault import master_keys

pytestmark = pytest.mark.static

KEY, OTHER = "3c" * 32, "4d" * 32
PLACE = ("tenant-1", "node-1", "secret")


class TestVault:
    @pytest.mark.parametrize("text", ["whsec_abc", "", "ключ 🔑", "x" * 10_000])
    def test_what_was_sealed_opens_again(self, text: str) -> None:
        assert Vault(KEY).open(Vault(KEY).seal(text, *PLACE), *PLACE) == text

    def test_a_sealed_text_shows_nothing_of_it_and_differs_each_time(self) -> None:
        sealed = {Vault(KEY).seal("whsec_abc", *PLACE) for _ in range(50)}
        assert len(sealed) == 50
        assert not any("whsec" in one or KEY in one for one in sealed)

    @pytest.mark.parametrize(
        "place",
        [
            ("tenant-2", "node-1", "secret"),
            ("tenant-1", "node-2", "secret"),
            ("tenant-1", "node-1", "api_key"),
            ("tenant-1node-1", "", "secret"),
            ("tenant-1\x00node-1", "", "secret"),
        ],
    )
    def test_it_does_not_open_anywhere_else(self, place: tuple[str, str, str]) -> None:
        with pytest.raises(SealBroken, match="changed or moved"):
            Vault(KEY).open(Vault(KEY).seal("whsec_abc", *PLACE), *place)

    def test_another_master_key_is_named_as_the_reason(self) -> None:
        with pytest.raises(SealBroken, match="another master key"):
            Vault(OTHER).open(Vault(KEY).seal("whsec_abc", *PLACE), *PLACE)

    def test_every_change_of_it_is_seen(self) -> None:
        sealed = Vault(KEY).seal("whsec_abc", *PLACE)
        for at in range(len(sealed)):
            changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
            with pytest.raises(SealBroken):
                Vault(KEY).open(changed, *PLACE)

    @pytest.mark.parametrize("damaged", ["", "v1", "v1.", "v1..", "plain text", "v2.00000000.AAAA", "v1.00000000.%%%"])
    def test_damage_is_an_error_of_its_own(self, damaged: str) -> None:
        with pytest.raises(SealBroken):
            Vault(KEY).open(damaged, *PLACE)

    def test_it_does_not_show_its_key(self) -> None:
        assert KEY not in repr(Vault(KEY))
        assert KEY not in str(vars(Vault(KEY)))


class TestRotation:
    def test_what_the_former_key_sealed_opens_and_what_is_sealed_is_under_the_new_one(self) -> None:
        sealed = Vault(KEY).seal("whsec_abc", *PLACE)
        both = Vault(OTHER, [KEY])
        assert both.open(sealed, *PLACE) == "whsec_abc"
        assert Vault(OTHER).open(both.seal("whsec_abc", *PLACE), *PLACE) == "whsec_abc"

    def test_a_server_that_runs_takes_the_new_key_when_it_meets_it(self) -> None:
        keys = [KEY]
        running = Vault(KEY, renew=lambda: keys)
        keys[:] = [OTHER, KEY]
        assert running.open(Vault(OTHER).seal("whsec_abc", *PLACE), *PLACE) == "whsec_abc"
        assert sealed_by(running.seal("whsec_abc", *PLACE)) == Vault(OTHER).key_id

    def test_nothing_is_sealed_with_a_key_that_was_replaced(self) -> None:
        keys = [KEY]
        running = Vault(KEY, renew=lambda: keys)
        keys[:] = [OTHER, KEY]
        assert sealed_by(running.seal("whsec_abc", *PLACE)) == Vault(OTHER).key_id

    def test_receipts_of_the_former_key_count_by_its_public_key(self) -> None:
        former = Vault(KEY)
        signature = former.sign(b"receipt")
        assert Vault(OTHER).signed(b"receipt", signature, [former.public_key])
        assert not Vault(OTHER).signed(b"receipt", signature)
        assert not Vault(OTHER).signed(b"receipts", signature, [former.public_key])


class TestDigests:
    def test_a_digest_depends_on_key_and_pepper(self) -> None:
        digests = {key_digest(pepper, key) for pepper in (KEY, OTHER) for key in ("mem_a", "mem_b")}
        assert len(digests) == 4

    def test_digests_are_compared_as_wholes(self) -> None:
        assert same("abc", "abc")
        assert not same("abc", "abd")
        assert not same("abc", "ab")
        assert not same("é", "e")


class TestMasterKey:
    def test_it_is_made_once_and_readable_by_its_owner_only(self, tmp_path: Path) -> None:
        first = Home(tmp_path / "home").master_key()
        assert Home(tmp_path / "home").master_key() == first
        assert len(first) == 64
        assert first not in (Home(tmp_path / "home").pepper(), Home(tmp_path / "other").master_key())
        assert (tmp_path / "home" / "secrets" / "master-key").stat().st_mode & 0o777 == 0o600

    def test_a_damaged_one_is_never_replaced(self, tmp_path: Path) -> None:
        Home(tmp_path).master_key()
        (tmp_path / "secrets" / "master-key").write_text("short\n")
        with pytest.raises(HomeError, match="Restore it from a backup"):
            Home(tmp_path).master_key()
        assert (tmp_path / "secrets" / "master-key").read_text() == "short\n"

    def test_a_new_one_stands_beside_the_former_until_that_is_dropped(self, tmp_path: Path) -> None:
        home, settings = Home(tmp_path), Settings(home=str(tmp_path))
        first = home.master_key()
        home.replace_master_key()
        second = home.master_key()
        assert second != first
        assert list(master_keys(settings)) == [second, first]
        assert (tmp_path / "secrets" / "master-key.former").stat().st_mode & 0o777 == 0o600
        home.replace_master_key()
        assert list(master_keys(settings)) == [second, first], "a replacement under way is not replaced"
        home.drop_former_master_key()
        assert list(master_keys(settings)) == [second]

    def test_a_replacement_that_died_half_way_is_made_again(self, tmp_path: Path) -> None:
        home = Home(tmp_path)
        first = home.master_key()
        (tmp_path / "secrets" / "master-key.former").write_text(first + "\n")
        home.replace_master_key()
        assert home.master_key() != first
        assert home.former_master_key() == first

    def test_a_command_prints_it(self, tmp_path: Path) -> None:
        settings = Settings(home=str(tmp_path), master_key_command=f"echo {KEY.upper()}", master_key_former=OTHER)
        assert list(master_keys(settings)) == [KEY, OTHER]

    @pytest.mark.parametrize("command", ["echo secretword", "false", "there-is-no-such-program", "echo 'open"])
    def test_a_command_that_gives_none_is_named_without_what_it_said(self, tmp_path: Path, command: str) -> None:
        settings = Settings(home=str(tmp_path), master_key_command=command)
        with pytest.raises(LocalError, match="LOCI_MASTER_KEY_COMMAND") as raised:
            master_keys(settings)
        assert "secretword" not in str(raised.value) + raised.value.remedy

    @pytest.mark.parametrize(
        ("variable", "value", "said"),
        [
            ("LOCI_MASTER_KEY", "abc", "64 hex digits"),
            ("LOCI_OUTBOUND_ALLOW", "10.0.0.0/8, here", "10.1.0.0/16"),
            ("LOCI_OUTBOUND_ALLOW", "10.0.0.1/8", "10.1.0.0/16"),
        ],
    )
    def test_settings_that_cannot_be_meant_are_refused(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        with pytest.raises(ConfigError, match=said) as raised:
            load_settings()
        assert variable in str(raised.value)
        assert "abc" not in str(raised.value)
