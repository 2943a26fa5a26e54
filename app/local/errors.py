"""Errors of the local runtime. Each says what is wrong and what to do about it; the command line prints both."""


class LocalError(Exception):
    """Something on this machine keeps Loci from running.

    Attributes:
        message: what is wrong, in one or more lines.
        remedy: what the reader can do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}\n{remedy}")
        self.message = message
        self.remedy = remedy


class HomeError(LocalError):
    """LOCI_HOME cannot be used."""


class ArtifactError(LocalError):
    """An artifact could not be fetched, or is not what the lock says."""


class JavaError(LocalError):
    """No Java that can run Neo4j."""


class ServerError(LocalError):
    """The managed Neo4j did not start, stop or answer."""


class OccupiedError(ServerError):
    """Another process starts, stops or copies the managed Neo4j, and goes on doing so."""


class BackupError(LocalError):
    """A backup cannot be made, is damaged, or must not be restored here."""


class PortTakenError(ServerError):
    """A port that was asked for by number belongs to another process."""

    def __init__(self, port: int, setting: str) -> None:
        super().__init__(
            f"Port {port} is taken by another process.",
            f"Set {setting} to a free port, or to 0 to have one picked, or stop what listens there.",
        )
        self.port = port
        self.setting = setting
