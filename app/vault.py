"""Where the master key comes from: a setting, a command, or a file in LOCI_HOME; and the vault that is made of it."""

import re
import shlex
import subprocess
from collections.abc import Sequence

from app.config import Settings
from app.crypto import Vault
from app.local.errors import LocalError
from app.local.home import Home

KEY = re.compile(r"[0-9a-fA-F]{64}")
COMMAND_SECONDS = 30
FILE, SETTING, COMMAND = "file", "setting", "command"


def source_of(settings: Settings) -> str:
    """Return where the master key comes from: FILE, SETTING or COMMAND."""
    return SETTING if settings.master_key else COMMAND if settings.master_key_command else FILE


def master_keys(settings: Settings) -> Sequence[str]:
    """Return the master key, then the former one while a rotation is under way.

    Raises:
        LocalError: there is none, or it is no key.
    """
    home = Home(settings.home_path)
    where = source_of(settings)
    if where == FILE:
        former = home.former_master_key()
        return [home.master_key(), *([former] if former else [])]
    key = settings.master_key if where == SETTING else _of_command(settings.master_key_command)
    return [key.lower(), *([settings.master_key_former.lower()] if settings.master_key_former else [])]


def vault_of(settings: Settings) -> Vault:
    """Return what seals secrets under the master key, and notices when that is another.

    Raises:
        LocalError: as `master_keys`.
    """
    first, *former = master_keys(settings)
    return Vault(first, former, renew=lambda: master_keys(settings))


def _of_command(command: str) -> str:
    remedy = "LOCI_MASTER_KEY_COMMAND must print 64 hex digits and nothing else; run it by hand to see what it says."
    try:
        # The command of whoever runs the server, out of its own environment.
        done = subprocess.run(  # noqa: S603
            shlex.split(command), capture_output=True, timeout=COMMAND_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise LocalError("The command for the master key cannot be run.", remedy) from error
    # What it prints may be a part of the key: it is shown to nobody.
    key = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode or not KEY.fullmatch(key):
        raise LocalError("The command for the master key gave none.", remedy)
    return key
