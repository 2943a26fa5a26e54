"""Make or refresh `.venv` from one locked requirements file, and do nothing when that has already been done.

Runs on the bare interpreter of the machine: standard library only, and no syntax younger than Python 3.6, because it
must be able to say that the interpreter is too old.

Usage: python3 scripts/setup_venv.py runtime|dev
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MINIMUM = (3, 11)

# A finished dev set-up also serves `make run`: dev.txt is locked as a superset of runtime.txt.
SATISFIED_BY = {"runtime": ("runtime", "dev"), "dev": ("dev",)}


def requirements(kind: str) -> Path:
    return ROOT / "requirements" / f"{kind}.txt"


def stamp(kind: str) -> Path:
    return VENV / f".loci-{kind}"


def fingerprint(kind: str) -> str:
    """Hash everything that decides what must be installed: the lock, our metadata, the interpreter and the place."""
    digest = hashlib.sha256(repr((kind, sys.version_info[:2], sys.platform, str(ROOT))).encode())
    for path in (requirements(kind), ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_ready(kind: str) -> bool:
    return PYTHON.exists() and any(
        stamp(candidate).exists() and stamp(candidate).read_text() == fingerprint(candidate)
        for candidate in SATISFIED_BY[kind]
    )


def matches_interpreter() -> bool:
    """Tell whether `.venv` works here: not moved, not made by another minor version, its interpreter not gone."""
    probe = "import sys; print(sys.prefix, sys.version_info[:2])"
    try:
        answer = subprocess.check_output([str(PYTHON), "-c", probe], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return False
    return answer.decode().strip() == f"{VENV} {sys.version_info[:2]}"


def create() -> None:
    if VENV.exists():
        shutil.rmtree(str(VENV))
    print("Making .venv with Python {}.{}".format(*sys.version_info[:2]), flush=True)
    if subprocess.call([sys.executable, "-m", "venv", str(VENV)]) != 0:
        shutil.rmtree(str(VENV), ignore_errors=True)
        sys.exit(
            "python -m venv failed. Debian and Ubuntu keep that module in a package of its own: install python3-venv,"
            " or name another interpreter: make PYTHON=/path/to/python3.12 ..."
        )


def install(kind: str) -> None:
    print(f"Installing requirements/{kind}.txt, checked by hash (a few minutes the first time)", flush=True)
    for other in SATISFIED_BY:
        # No stamp may vouch for versions that this installation changes, or leaves half installed.
        if stamp(other).exists():
            stamp(other).unlink()
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    steps = (
        [*pip, "--require-hashes", "--requirement", str(requirements(kind))],
        [*pip, "--no-build-isolation", "--no-deps", "--editable", str(ROOT)],
    )
    for step in steps:
        if subprocess.call(step, cwd=str(ROOT)) != 0:
            sys.exit("Setting up .venv failed, see above. Once the cause is mended, the same command continues.")
    stamp(kind).write_text(fingerprint(kind))


def main() -> None:
    if sys.version_info < MINIMUM:
        have, need = sys.version.split()[0], ".".join(map(str, MINIMUM))
        sys.exit(
            f"Loci needs Python {need} or newer; {sys.executable} is {have}."
            " Name another interpreter: make PYTHON=/path/to/python3.12 ..."
        )
    if len(sys.argv) != 2 or sys.argv[1] not in SATISFIED_BY:
        sys.exit("usage: setup_venv.py runtime|dev")
    kind = sys.argv[1]
    if is_ready(kind):
        return
    if not matches_interpreter():
        create()
    install(kind)


if __name__ == "__main__":
    main()
