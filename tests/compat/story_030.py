"""Calls every method of memoryrelay 0.3.0, and prints what came back as JSON. Runs in an environment of its own.

That environment has the client and the standard library, so nothing of Loci is imported here.

Usage: MEMORYRELAY_URL=... MEMORYRELAY_API_KEY=... WRITER_KEY=... python story_030.py
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

memoryrelay: Any = importlib.import_module("memoryrelay")

URL = os.environ["MEMORYRELAY_URL"]
KEY = os.environ["MEMORYRELAY_API_KEY"]
UNKNOWN = "00000000-0000-4000-8000-000000000000"
TEXT = "Billing deploys on Tuesdays after lunch"
SPARE = "The spare key lies below the geranium"


class Story:
    """What was called, which requests that took, and what came back."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.told: dict[str, Any] = {}
        self.asked: dict[str, list[list[Any]]] = {}
        self.current = ""

    def hear(self, response: Any) -> None:
        """Note one exchange."""
        exchange = [response.request.method, response.request.url.path, response.status_code]
        self.asked.setdefault(self.current, []).append(exchange)

    async def hear_soon(self, response: Any) -> None:
        """The same as a hook of the asynchronous client."""
        self.hear(response)

    def client(self, key: str, base_url: str = URL) -> Any:
        """Return a client whose exchanges are noted."""
        made = memoryrelay.AsyncMemoryRelay if self.kind == "async" else memoryrelay.MemoryRelay
        hook = self.hear_soon if self.kind == "async" else self.hear
        return made(api_key=key, base_url=base_url, event_hooks={"response": [hook]})

    async def call(self, step: str, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a method as `step` (the method's own, with more after a space) and keep what it returned."""
        self.current = step
        result = method(*args, **kwargs)
        if isinstance(result, Awaitable):
            result = await result
        self.told[step] = plain(result)
        return result

    async def fail(self, step: str, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Call a method that has to raise, and keep what was raised."""
        try:
            await self.call(step, method, *args, **kwargs)
        except memoryrelay.MemoryRelayError as error:
            shown = {key: getattr(error, key, None) for key in ("message", "status_code", "request_id")}
            self.told[step] = {"raised": type(error).__name__, **shown}
        else:
            self.told[step] = {"raised": None}


def plain(value: Any) -> Any:
    """Return a result as JSON."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def methods_of(client: Any) -> list[str]:
    """Return the names of all public methods of a client and its resources."""
    names = []
    for resource in ("memories", "agents", "entities"):
        members = inspect.getmembers(type(getattr(client, resource)), inspect.isfunction)
        names += [f"{resource}.{name}" for name, _ in members if not name.startswith("_")]
    return sorted([*names, "health"])


async def memories(story: Story, client: Any) -> None:
    """What both clients have."""
    agent = f"iris-{story.kind}"
    await story.call("health", client.health)
    made = await story.call(
        "memories.create", client.memories.create, TEXT, agent, metadata={"n": 1}, user_id="ada", importance=0.9,
        project="billing", auto_extract_entities=True,
    )  # fmt: skip
    again = client.memories.create
    await story.call("memories.create twice", again, TEXT, agent, deduplicate=True)
    await story.call("memories.create bare", again, "Nothing but the text", agent)
    await story.call("memories.get", client.memories.get, made.id)
    await story.call("memories.list", client.memories.list, agent_id=agent, user_id="ada")
    question = {"agent_id": agent, "user_id": "ada", "metadata_filter": {"n": 1}, "min_score": 0.2}
    await story.call("memories.search", client.memories.search, "when is the billing release?", **question)
    keyword = {"agent_id": agent, "search_mode": "keyword"}
    await story.call("memories.search words", client.memories.search, "Tuesdays", **keyword)
    batch = [
        {"content": "First line", "agent_id": agent, "metadata": {"n": 2}, "user_id": "eve", "client_id": "c"},
        {"content": "A line of nobody"},
    ]
    await story.call("memories.create_batch", client.memories.create_batch, batch)
    await story.call("memories.update", client.memories.update, made.id, metadata={"by": "ada"})
    await story.call("memories.update text", client.memories.update, made.id, content="Billing deploys on Fridays")
    await story.call("memories.delete", client.memories.delete, made.id)
    await story.fail("memories.get gone", client.memories.get, made.id)
    await story.fail("memories.get malformed", client.memories.get, "not-a-uuid")
    await story.fail("memories.create wrong", again, TEXT, agent, memory_type="rumour")


async def agents(story: Story, client: Any) -> None:
    """Agents: the client chooses an id, which the server ignores."""
    made = await story.call("agents.create", client.agents.create, "my-own-id", name="keeper", description="Notes")
    await story.call("agents.get", client.agents.get, made.id)
    await story.call("agents.list", client.agents.list)
    await story.call("agents.update", client.agents.update, made.id, description="Keeps better notes")
    await story.call("agents.delete", client.agents.delete, made.id)
    await story.fail("agents.get gone", client.agents.get, made.id)


async def entities(story: Story, client: Any) -> None:
    """Entities, with the older spelling of the link."""
    made = await story.call("entities.create", client.entities.create, "product", "Billing Service")
    memory = await story.call("memories.create linked", client.memories.create, "It was late again", "iris-sync")
    await story.call("entities.link", client.entities.link, made.id, memory.id)
    await story.call("entities.link named", client.entities.link, made.id, memory.id, relationship="tested_with")
    await story.call("entities.get", client.entities.get, made.id)
    await story.call("entities.list", client.entities.list, agent_id="iris-sync", entity_type="product")
    await story.call("entities.delete", client.entities.delete, made.id)
    await story.fail("entities.get gone", client.entities.get, made.id)
    await story.fail("entities.link unknown", client.entities.link, UNKNOWN, memory.id)


async def later(story: Story, client: Any) -> None:
    """Memories stored asynchronously."""
    made = await story.call("memories.create_async", client.memories.create_async, SPARE, "iris-sync")
    await story.call("memories.get_status", client.memories.get_status, made.id)
    await story.call("memories.wait_for_ready", client.memories.wait_for_ready, made.id, poll_interval=0.1)
    await story.call("memories.create_and_wait", client.memories.create_and_wait, "The lift is stuck", "iris-sync")
    await story.fail("memories.get_status unknown", client.memories.get_status, UNKNOWN)


async def keys(story: Story, _client: Any) -> None:
    """What clients with other keys, and one with another base URL, are told."""
    one = story.client(os.environ["WRITER_KEY"])
    made = await story.call("memories.create writer", one.memories.create, "Stays here", "iris-sync")
    await story.fail("memories.delete writer", one.memories.delete, made.id)
    await story.fail("memories.list stranger", story.client("mem_prod_" + "0" * 64).memories.list)
    await story.call("memories.get slash", story.client(KEY, f"{URL}/").memories.get, made.id)


async def tell(kind: str) -> dict[str, Any]:
    """Go through everything with one of the two clients."""
    story = Story(kind)
    client = story.client(KEY)
    parts: list[Callable[..., Any]] = [memories] if kind == "async" else [memories, agents, entities, later, keys]
    failed = []
    for part in parts:
        try:
            await part(story, client)
        except Exception as error:
            failed.append(f"{story.current}: {type(error).__name__}: {error}")
    return {"told": story.told, "asked": story.asked, "methods": methods_of(client), "failed": failed}


def main() -> None:
    told = {kind: asyncio.run(tell(kind)) for kind in ("sync", "async")}
    json.dump({"version": memoryrelay.__version__, **told}, sys.stdout)


if __name__ == "__main__":
    main()
