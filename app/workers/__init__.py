"""Background loops: one a file, registered in this table; `runner` runs them.

| loop | every | does |
|---|---|---|
| announce | 0.2 s | numbers the events of committed changes and makes their deliveries |
| deliver | 0.2 s | sends to webhooks, and to addresses that single requests named, what waits for them |
| embed_pending | 0.25 s | completes memories that were accepted: vectors, names, links |
| imports | 1 s | reads files that clients sent to be imported |
| purge_jobs | 300 s | forgets jobs that were over a week ago |
| purge_expired | 1 h | deletes memories whose time has passed |
| erase | 5 s | goes on with erasures that a request left |
| purge_trash | 60 s | erases what was in the trash for its time |
| window_backfill | 600 s | gives windows to long memories of a time before there were any, once |
| topics | 60 s | groups the entities of tenants where something was written |
| unused_entities | 600 s | deletes entities of extraction that nothing mentions any more |
| purge_events | 600 s | forgets events and the log of their deliveries that are too old |
| seal | 5 s | encrypts anew what a namespace has, after its mode was changed or its key rotated |
| usage_retention | 1 h | deletes audit entries and usage days that are too old |
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.state import State
from app.workers import (
    announce,
    deliver,
    embed_pending,
    erase,
    imports,
    purge_events,
    purge_expired,
    purge_jobs,
    purge_trash,
    seal,
    topics,
    unused_entities,
    usage_retention,
    window_backfill,
)


@dataclass(frozen=True)
class Loop:
    """One background loop: `work` does a bounded piece and returns whether more is waiting; `finish` waits, at the end,
    for what it left to threads of its own."""

    name: str
    every_seconds: float
    work: Callable[[State], bool]
    finish: Callable[[State], None] = lambda parts: None


LOOPS = (
    Loop("announce", 0.2, announce.work),
    Loop("deliver", 0.2, deliver.work, deliver.work.finish),
    Loop("embed_pending", 0.25, embed_pending.work),
    Loop("imports", 1.0, imports.work),
    Loop("purge_jobs", 300.0, purge_jobs.work),
    Loop("purge_expired", 3600.0, purge_expired.work),
    Loop("erase", 5.0, erase.work),
    Loop("purge_trash", 60.0, purge_trash.work),
    Loop("window_backfill", 600.0, window_backfill.work),
    Loop("topics", 60.0, topics.work),
    Loop("unused_entities", 600.0, unused_entities.work),
    Loop("purge_events", 600.0, purge_events.work),
    Loop("seal", 5.0, seal.work),
    Loop("usage_retention", 3600.0, usage_retention.work),
)
