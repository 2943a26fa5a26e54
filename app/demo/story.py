"""The demo's data: four people and two agents at a company that sells trail maps, from January to March 2026.

Everything is invented. Keys such as `retry` stand for ids that the server hands out while loading.
"""

from typing import Any

AGENTS: tuple[dict[str, Any], ...] = (
    {"name": "iris", "description": "Helps the platform team of Northtrail", "metadata": {"team": "platform"}},
    {"name": "otto", "description": "Reads tickets and talks to support", "metadata": {"team": "support"}},
)

PROJECTS: tuple[dict[str, Any], ...] = (
    {
        "slug": "tiles", "name": "Tiles", "description": "Renders and serves map tiles",
        "stack": {"languages": ["rust", "python"], "databases": ["postgresql"], "infra": ["kubernetes"]},
    },
    {
        "slug": "routes-api", "name": "Routes API", "description": "Finds hiking routes",
        "stack": {"languages": ["python"], "databases": ["postgresql", "redis"]},
    },
    {
        "slug": "mobile", "name": "Mobile app", "description": "The app people carry up the mountain",
        "stack": {"languages": ["kotlin", "swift"]},
    },
    {
        "slug": "billing", "name": "Billing", "description": "Subscriptions and invoices",
        "stack": {"languages": ["python"], "databases": ["postgresql"]},
    },
)  # fmt: skip

# (project, target, type)
PROJECT_LINKS = (
    ("mobile", "routes-api", "api_consumer"),
    ("mobile", "tiles", "api_consumer"),
    ("routes-api", "tiles", "depends_on"),
    ("billing", "routes-api", "shares_schema"),
)

# (session, agent, project, title, day, memories); a memory is text, or (text, fields).
SESSIONS: tuple[tuple[str, str, str, str, str, tuple[Any, ...]], ...] = (
    (
        "kickoff", "iris", "tiles", "Planning the new tile renderer", "2026-01-08T09:30:00Z",
        (
            "Maya Okafor will lead the rewrite of the tile renderer in Rust.",
            "The current renderer needs 900 ms for a cold tile of the Dolomites, which is too slow for the mobile app.",
            "Jonas Weber worries that nobody but Maya Okafor on the platform team knows Rust well.",
            ("Northtrail promised Alpine Club Bern that offline maps ship before April.", {"importance": 0.9}),
            ("Tiles are cached in PostgreSQL today; the table has grown to 400 GB.", {"memory_type": "fact"}),
        ),
    ),
    (
        "outage", "iris", "routes-api", "The outage of 21 January", "2026-01-21T14:05:00Z",
        (
            "The Routes API was down for 47 minutes because Redis ran out of memory.",
            "Jonas Weber found that cached routes never expired: the time-to-live was set in milliseconds by mistake.",
            ("After the outage Priya Raman asked for an alert at 80 percent of Redis memory.", {"importance": 0.8}),
            "The mobile app showed an empty map while the Routes API was down, and people left one-star reviews.",
            "Retries from the mobile app made the outage worse: each phone asked again every second.",
        ),
    ),
    (
        "support-week", "otto", "mobile", "What support heard in February", "2026-02-12T11:00:00Z",
        (
            "Eleven hikers wrote that offline maps of the Dolomites miss the huts above 2,500 metres.",
            "Elena Rossi from support prefers to answer hut questions by phone, because the tickets go back and forth.",
            "Alpine Club Bern asked whether invoices can be split between sections of the club.",
            ("A hiker was sent down a closed trail near Cortina; Elena Rossi called him and he was fine.",
             {"importance": 0.85, "visibility": "confidential"}),
        ),
    ),
    (
        "renderer-review", "iris", "tiles", "Looking at the first Rust tiles", "2026-02-26T10:00:00Z",
        (
            "The Rust renderer draws a cold tile of the Dolomites in 70 ms on the same machine.",
            "Maya Okafor taught Jonas Weber enough Rust that he fixed the hut layer on his own.",
            "The hut layer was empty above 2,500 metres because the elevation filter compared feet with metres.",
            "Moving tiles from PostgreSQL to object storage cut the database to 35 GB.",
        ),
    ),
    (
        "release", "iris", "mobile", "Before the spring release", "2026-03-17T08:45:00Z",
        (
            "Offline maps shipped on 17 March, two weeks before the date promised to Alpine Club Bern.",
            "Priya Raman decided that releases happen on Tuesdays, so that the whole team is there the day after.",
            "The mobile app now waits twice as long after each failed call to the Routes API.",
            ("Remind Elena Rossi to tell the eleven hikers that the huts are on the map.", {"memory_type": "task"}),
        ),
    ),
)  # fmt: skip

# Edits that show what a memory said before: (text as stored, text now).
REVISIONS = (
    (
        "Tiles are cached in PostgreSQL today; the table has grown to 400 GB.",
        "Tiles were cached in PostgreSQL until February 2026; they are in object storage now.",
    ),
)

# (key, fields, texts of the memories it rests on, keys of the decisions it depends on)
DECISIONS: tuple[tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "rust",
        {
            "title": "Rewrite the tile renderer in Rust", "project_slug": "tiles", "tags": ["renderer", "performance"],
            "rationale": "A cold tile must take less than 100 ms, and two attempts in Python stopped at 600 ms.",
            "alternatives": "Render every tile ahead of time: 30 times the storage, stale within a week.",
        },
        ("The current renderer needs 900 ms for a cold tile of the Dolomites, which is too slow for the mobile app.",),
        (),
    ),
    (
        "object-storage",
        {
            "title": "Keep tiles in object storage", "project_slug": "tiles", "tags": ["storage"],
            "rationale": "The tile table made backups of PostgreSQL take a day; tiles are files and want no joins.",
        },
        ("Tiles are cached in PostgreSQL today; the table has grown to 400 GB.",),
        ("rust",),
    ),
    (
        "offline",
        {
            "title": "Ship offline maps with the spring release", "project_slug": "mobile", "tags": ["offline"],
            "rationale": "Alpine Club Bern was promised them, and tiles are quick enough to be packed on request.",
        },
        ("Northtrail promised Alpine Club Bern that offline maps ship before April.",),
        ("rust", "object-storage"),
    ),
    (
        "retry",
        {
            "title": "Clients retry every second", "project_slug": "routes-api", "tags": ["reliability"],
            "rationale": "A short gap in the network should not be visible on the map.",
        },
        (),
        (),
    ),
)  # fmt: skip

# (key of the old decision, fields of its replacement, texts the replacement rests on)
SUPERSEDED = (
    (
        "retry",
        {
            "title": "Clients back off when the Routes API fails",
            "rationale": "Retries every second turned a full cache into an outage of 47 minutes.",
        },
        ("Retries from the mobile app made the outage worse: each phone asked again every second.",),
    ),
)

# (fields, projects that adopt it)
PATTERNS: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
    (
        {
            "title": "Back off and give up", "category": "reliability", "source_project": "routes-api",
            "description": "Wait twice as long after each failure, with some chance, and stop after a minute.",
            "tags": ["retries"], "example_code": "delay = min(60, 2 ** attempt) * random.uniform(0.8, 1.2)",
        },
        ("mobile", "billing"),
    ),
    (
        {
            "title": "Units in names", "category": "correctness", "source_project": "tiles",
            "description": "A number that is not a plain count carries its unit in its name: ttl_ms, height_m.",
            "tags": ["naming"],
        },
        ("routes-api", "mobile", "tiles"),
    ),
    (
        {
            "title": "Alert before the cliff", "category": "operations", "source_project": "routes-api",
            "description": "Alert at 80 percent of anything that ends at 100: memory, disk, connections, certificates.",
        },
        ("tiles",),
    ),
)  # fmt: skip
