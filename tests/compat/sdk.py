"""A driver for memoryrelay 0.4.0 that lets one test speak to its synchronous and its asynchronous client alike."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import httpx
from memoryrelay import AsyncMemoryRelay, MemoryRelay

from tests.compat.routes import PYTHON_04, number_of

RESOURCES = ("memories", "agents", "entities", "extraction", "icm")


class Sdk:
    """`sdk("memories.get", id)` calls that method, waits for its result, and checks which routes it asked."""

    def __init__(self, kind: str, **options: Any) -> None:
        self.asked: list[int] = []
        self.runner = asyncio.Runner() if kind == "async" else None
        hooks = {"request": [self._heard if self.runner else self._hear]}
        made = AsyncMemoryRelay if self.runner else MemoryRelay
        self.client = made(event_hooks=hooks, **options)

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        resource, method = name.split(".")
        self.asked.clear()
        result = self._wait(getattr(getattr(self.client, resource), method)(*args, **kwargs))
        assert set(self.asked) == set(PYTHON_04.get(name, (0,)))
        return result

    def close(self) -> None:
        """Close the client and its event loop."""
        self._wait(self.client.close())
        if self.runner:
            self.runner.close()

    def _wait(self, result: Any) -> Any:
        return self.runner.run(result) if self.runner else result

    def _hear(self, request: httpx.Request) -> None:
        self.asked.append(number_of(request.method, request.url.path))

    async def _heard(self, request: httpx.Request) -> None:
        self._hear(request)


def methods_of(client: Any) -> set[str]:
    """Return `resource.method` for every public method of every resource of a client."""
    return {
        f"{resource}.{name}"
        for resource in RESOURCES
        for name, _ in inspect.getmembers(type(getattr(client, resource)), inspect.isfunction)
        if not name.startswith("_")
    }
