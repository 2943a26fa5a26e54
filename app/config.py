"""Every setting of Loci, read once from the environment; all mistakes are reported together, secrets are masked.

`SETTINGS` is the whole truth: `.env.example`, `docs/configuration.md` and `loci doctor` are checked against it.
"""

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, cast

import limits
from environs import Env, EnvValidationError
from marshmallow import ValidationError
from marshmallow.validate import OneOf, Range

Network = IPv4Network | IPv6Network

MOST_PAUSES, LONGEST_PAUSE = 30, 604_800


class ConfigError(Exception):
    """One or more settings are wrong; the message names each with its remedy."""


@dataclass(frozen=True)
class Setting:
    """One setting: environment variable, kind, default, and the sentence that documents it."""

    variable: str
    kind: str
    default: Any
    help: str
    secret: bool = False
    validate: Callable[[Any], Any] | None = None


def _setting(variable: str, default: Any, help: str, **extra: Any) -> Any:
    kind = {bool: "bool", int: "int", float: "float"}.get(type(default), "str")
    kind = extra.pop("kind", kind)
    return field(default=default, metadata={"setting": Setting(variable, kind, default, help, **extra)})


def _rate(text: str) -> None:
    try:
        if text != "unlimited":
            limits.parse_many(text)
    except ValueError as error:
        raise ValidationError("Write it as `100/minute`, or `unlimited`.") from error


def _pauses(text: str) -> tuple[float, ...]:
    try:
        pauses = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ValidationError("Write seconds separated by commas, such as `5,300,1800`.") from error
    if len(pauses) > MOST_PAUSES or not all(0 <= pause <= LONGEST_PAUSE for pause in pauses):
        raise ValidationError(f"At most {MOST_PAUSES} pauses, each between 0 and {LONGEST_PAUSE} seconds.")
    return pauses


@dataclass(frozen=True)
class Settings:
    """What the environment asked for. Field order is the order of the documentation."""

    home: str = _setting("LOCI_HOME", "~/.loci", "Folder of the database, artifacts, logs and `credentials.json`.")
    host: str = _setting("LOCI_HOST", "127.0.0.1", "Address the API listens on.")
    port: int = _setting("LOCI_PORT", 8000, "Port of the API; 0 picks a free one.", validate=Range(0, 65535))
    workers: int = _setting("LOCI_WORKERS", 1, "API processes; more than one needs REDIS_URL.", validate=Range(1, 64))
    threads: int = _setting("LOCI_THREADS", 16, "Threads of each API process.", validate=Range(1, 256))
    streams: int = _setting(
        "LOCI_STREAMS", 0, "Event streams open at a time in each API process, half of them for one key; each holds a "
        "thread. 0: a quarter of LOCI_THREADS.", validate=Range(0, 255),
    )  # fmt: skip
    environment: str = _setting(
        "LOCI_ENVIRONMENT", "production", "Shown by health; `test` allows the hashing embedder.",
        validate=OneOf(["production", "development", "test"]),
    )  # fmt: skip
    log_level: str = _setting(
        "LOCI_LOG_LEVEL",
        "info",
        "Least severe log line written.",
        validate=OneOf(["debug", "info", "warning", "error"]),
    )
    log_format: str = _setting(
        "LOCI_LOG_FORMAT", "auto", "`json`, `console`, or `auto`: console on a terminal.",
        validate=OneOf(["auto", "json", "console"]),
    )  # fmt: skip
    neo4j_uri: str = _setting("NEO4J_URI", "", "Your own Neo4j; empty: Loci runs one itself.")
    neo4j_user: str = _setting("NEO4J_USER", "neo4j", "User of your own Neo4j.")
    neo4j_password: str = _setting("NEO4J_PASSWORD", "", "Password of your own Neo4j.", secret=True)
    neo4j_database: str = _setting("LOCI_NEO4J_DATABASE", "neo4j", "Database inside the server.")
    neo4j_bolt_port: int = _setting(
        "LOCI_NEO4J_BOLT_PORT", 7687, "Bolt port of the managed Neo4j; 0 picks a free one.", validate=Range(0, 65535)
    )
    neo4j_http_port: int = _setting(
        "LOCI_NEO4J_HTTP_PORT", 7474, "HTTP port of the managed Neo4j and its Browser; 0 picks a free one.",
        validate=Range(0, 65535),
    )  # fmt: skip
    neo4j_heap: str = _setting("LOCI_NEO4J_HEAP", "", "Heap of the managed Neo4j, as `1g`; empty: by machine size.")
    neo4j_page_cache: str = _setting(
        "LOCI_NEO4J_PAGE_CACHE", "", "Page cache of the managed Neo4j, as `512m`; empty: by machine size."
    )
    neo4j_java_flags: str = _setting(
        "LOCI_NEO4J_JAVA_FLAGS",
        "",
        "Further flags of the managed Neo4j's Java, as `-XX:+HeapDumpOnOutOfMemoryError`; blanks between.",
    )
    maven_url: str = _setting("LOCI_MAVEN_URL", "", "Mirror to fetch artifacts from; empty: the public default.")
    embedder: str = _setting(
        "LOCI_EMBEDDER", "local", "Where vectors come from.", validate=OneOf(["local", "openai", "hashing"])
    )
    embedding_model: str = _setting(
        "LOCI_EMBEDDING_MODEL",
        "",
        "Model; empty: `bge-small` locally, `text-embedding-3-small` remotely. `loci reembed` changes it.",
    )
    embedding_path: str = _setting("LOCI_EMBEDDING_PATH", "", "Folder with your own `model.onnx` and `tokenizer.json`.")
    embedding_dimensions: int = _setting(
        "LOCI_EMBEDDING_DIMENSIONS", 0, "Vector length to ask a remote model for; 0: the model's own.",
        validate=Range(0, 4096),
    )  # fmt: skip
    embedding_cache: int = _setting(
        "LOCI_EMBEDDING_CACHE", 512, "Questions whose vectors are kept in memory.", validate=Range(0, 100_000)
    )
    analyzer: str = _setting("LOCI_ANALYZER", "english", "Analyzer of the text index; recorded in the database.")
    openai_api_key: str = _setting("OPENAI_API_KEY", "", "Key for remote models.", secret=True)
    openai_base_url: str = _setting("OPENAI_BASE_URL", "", "Any OpenAI-compatible address; empty: the vendor's.")
    llm_model: str = _setting("LOCI_LLM_MODEL", "", "Chat model for extraction and answers; empty: none is used.")
    llm_timeout: float = _setting(
        "LOCI_LLM_TIMEOUT", 10.0, "Seconds before rules take over from the chat model.", validate=Range(0.1, 300)
    )
    rate_limit: str = _setting(
        "LOCI_RATE_LIMIT", "100/minute", "Requests a key may make; `unlimited` lifts it.", validate=_rate
    )
    signup: bool = _setting(
        "LOCI_SIGNUP", False, "Let anybody who reaches the server make a key, with a namespace of its own, through the "
        "APIs that have that.",
    )  # fmt: skip
    quota: int = _setting("LOCI_QUOTA", 0, "Memories a tenant may hold; 0: as many as fit.", validate=Range(min=0))
    redis_url: str = _setting("REDIS_URL", "", "Shared limits of several API processes.", secret=True)
    key_pepper: str = _setting(
        "LOCI_KEY_PEPPER", "", "64 hex digits that key digests depend on; empty: made in LOCI_HOME.", secret=True
    )
    master_key: str = _setting(
        "LOCI_MASTER_KEY", "", "64 hex digits that data keys and secrets are encrypted with; empty: made in LOCI_HOME.",
        secret=True,
    )  # fmt: skip
    master_key_command: str = _setting(
        "LOCI_MASTER_KEY_COMMAND", "", "Command that prints the master key, asked at each start; empty: none."
    )
    master_key_former: str = _setting(
        "LOCI_MASTER_KEY_FORMER", "", "The master key before, while `loci encryption rotate-master` is under way.",
        secret=True,
    )  # fmt: skip
    encryption: str = _setting(
        "LOCI_ENCRYPTION", "off",
        "What is encrypted in every namespace: `off`, `confidential` memories, or `all` that is said.",
        validate=OneOf(["off", "confidential", "all"]),
    )  # fmt: skip
    outbound_allow: str = _setting(
        "LOCI_OUTBOUND_ALLOW", "", "Private address ranges that webhooks and model calls may reach, as CIDR list."
    )
    webhook_schedule: str = _setting(
        "LOCI_WEBHOOK_SCHEDULE", "5,300,1800,7200,18000,36000,36000",
        "Seconds between attempts to deliver an event; after the last it is given up.", validate=_pauses,
    )  # fmt: skip
    webhook_timeout: float = _setting(
        "LOCI_WEBHOOK_TIMEOUT", 15.0, "Seconds in which an endpoint must answer.", validate=Range(0.1, 60)
    )
    webhook_disable_days: int = _setting(
        "LOCI_WEBHOOK_DISABLE_DAYS", 5, "Days of nothing but failures before a webhook is switched off; 0: never.",
        validate=Range(0, 365),
    )  # fmt: skip
    event_days: int = _setting(
        "LOCI_EVENT_DAYS", 30, "Days that events and the log of their deliveries are kept; 0: for ever.",
        validate=Range(0, 36_500),
    )  # fmt: skip
    import_mb: int = _setting(
        "LOCI_IMPORT_MB", 1024, "Largest file that /v1/transfer/imports takes, in MB.", validate=Range(1, 1_000_000)
    )
    audit_days: int = _setting(
        "LOCI_AUDIT_DAYS", 90, "Days that audit entries are kept; 0: for ever.", validate=Range(0, 36_500)
    )
    trash_days: int = _setting(
        "LOCI_TRASH_DAYS", 0, "Days that what was deleted can be restored; 0: it is gone at once.",
        validate=Range(0, 3_650),
    )  # fmt: skip
    delete_body_agents: str = _setting(
        "LOCI_DELETE_BODY_AGENTS", "", "More User-Agent prefixes whose DELETE is answered with a body, comma separated."
    )
    url: str = _setting("LOCI_URL", "", "Where client commands go; empty: what `credentials.json` says.")
    api_key: str = _setting("LOCI_API_KEY", "", "Key of client commands; empty: from `credentials.json`.", secret=True)

    @property
    def home_path(self) -> Path:
        """LOCI_HOME as an absolute path."""
        return Path(self.home).expanduser().absolute()

    @property
    def most_streams(self) -> int:
        """How many event streams one API process serves at a time: never on its last thread."""
        return self.streams or min(max(1, self.threads // 4), self.threads - 1)

    @property
    def outbound_networks(self) -> tuple[Network, ...]:
        """LOCI_OUTBOUND_ALLOW as networks.

        Raises:
            ValueError: one of them is no address range.
        """
        return tuple(ip_network(part.strip()) for part in self.outbound_allow.split(",") if part.strip())

    @property
    def webhook_pauses(self) -> tuple[float, ...]:
        """LOCI_WEBHOOK_SCHEDULE as seconds."""
        return _pauses(self.webhook_schedule)

    @property
    def managed(self) -> bool:
        """Whether Loci runs its own Neo4j."""
        return not self.neo4j_uri

    def shown(self) -> dict[str, str]:
        """Return every variable with its effective value as text, secrets masked."""
        found = {}
        for entry in fields(self):
            setting: Setting = entry.metadata["setting"]
            value = str(getattr(self, entry.name))
            found[setting.variable] = ("set" if value else "") if setting.secret else value
        return found


SETTINGS: tuple[Setting, ...] = tuple(entry.metadata["setting"] for entry in fields(Settings))

# Read by the test suite and by `make`, never by the server.
TEST_PREFIX = "LOCI_TEST_"


def load_settings() -> Settings:
    """Return the settings of the process environment; an empty variable counts as unset.

    Raises:
        ConfigError: names every wrong and every unknown variable at once.
    """
    env = Env(eager=False)
    values = {}
    for entry in fields(Settings):
        setting: Setting = entry.metadata["setting"]
        if os.environ.get(setting.variable):
            values[entry.name] = getattr(env, setting.kind)(setting.variable, validate=setting.validate)
    problems = _unknown(os.environ)
    try:
        env.seal()
    except EnvValidationError as error:
        reasons = cast(Mapping[str, list[str]], error.error_messages)  # always a mapping when sealed
        problems += [_problem(name, said) for name, said in reasons.items()]
    if not problems:
        problems = _contradictions(settings := Settings(**values))
    if problems:
        raise ConfigError("Settings are wrong:\n  " + "\n  ".join(problems))
    return settings


def _problem(variable: str, reasons: Any) -> str:
    setting = next(setting for setting in SETTINGS if setting.variable == variable)
    shown = "the value given" if setting.secret else repr(os.environ[variable])
    return f"{variable}: {shown} is not valid: {' '.join(map(str, reasons))} ({setting.help})"


def _unknown(source: Mapping[str, str]) -> list[str]:
    known = [setting.variable for setting in SETTINGS]
    problems = []
    for name in sorted(source):
        if name.startswith("LOCI_") and name not in known and not name.startswith(TEST_PREFIX):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "see docs/configuration.md"
            problems.append(f"{name}: no such setting; {hint}")
    return problems


def _contradictions(settings: Settings) -> list[str]:
    problems = []
    if settings.workers > 1 and not settings.redis_url:
        problems.append("LOCI_WORKERS: above 1 needs REDIS_URL, or each process would count its own rate limit")
    if settings.streams >= settings.threads:
        problems.append("LOCI_STREAMS: must be below LOCI_THREADS, or streams would leave no thread for requests")
    if settings.embedder == "hashing" and settings.environment == "production":
        problems.append("LOCI_EMBEDDER: `hashing` finds nothing by meaning; it is for tests (LOCI_ENVIRONMENT=test)")
    if settings.neo4j_uri and not settings.neo4j_password:
        problems.append("NEO4J_PASSWORD: needed beside NEO4J_URI")
    if settings.key_pepper and not _is_hex(settings.key_pepper, 64):
        problems.append("LOCI_KEY_PEPPER: 64 hex digits are needed, such as `openssl rand -hex 32` prints")
    if settings.master_key and not _is_hex(settings.master_key, 64):
        problems.append("LOCI_MASTER_KEY: 64 hex digits are needed, such as `openssl rand -hex 32` prints")
    if settings.master_key_former and not _is_hex(settings.master_key_former, 64):
        problems.append("LOCI_MASTER_KEY_FORMER: 64 hex digits are needed, those that LOCI_MASTER_KEY was before")
    if settings.master_key and settings.master_key_command:
        problems.append("LOCI_MASTER_KEY_COMMAND: goes without LOCI_MASTER_KEY; unset one of the two")
    try:
        _ = settings.outbound_networks
    except ValueError as error:
        problems.append(f"LOCI_OUTBOUND_ALLOW: {error}; give ranges such as 10.1.0.0/16, comma separated")
    return problems


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and all(char in "0123456789abcdefABCDEF" for char in text)
