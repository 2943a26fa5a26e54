"""Loads the story through the API, as any client would."""

from collections.abc import Callable
from typing import Any

import httpx2

from app.demo import story


class DemoError(Exception):
    """The server answered what the demo did not expect."""


class Loader:
    """Loads the story into the namespace of a client's key."""

    def __init__(self, client: httpx2.Client, say: Callable[[str], object]) -> None:
        self.client, self.say = client, say
        self.memories: dict[str, str] = {}
        self.decisions: dict[str, str] = {}

    def load(self) -> None:
        """Load everything.

        Raises:
            DemoError: a request failed.
        """
        self.projects()
        self.sessions()
        self.decide()
        self.patterns()
        for before, after in story.REVISIONS:
            self.send("PUT", f"/v1/memories/{self.memories[before]}", {"content": after})

    def projects(self) -> None:
        """Create agents and projects, and tie the projects together."""
        for agent in story.AGENTS:
            self.send("POST", "/v1/agents", agent)
        for project in story.PROJECTS:
            self.send("POST", "/v1/projects", project)
        for source, target, kind in story.PROJECT_LINKS:
            body = {"target_project": target, "relationship_type": kind}
            self.send("POST", f"/v1/projects/{source}/relationships", body)
        self.say(f"{len(story.PROJECTS)} projects, {len(story.AGENTS)} agents")

    def sessions(self) -> None:
        """Hold the sessions and store their memories."""
        for key, agent, project, title, day, memories in story.SESSIONS:
            body = {"external_id": key, "agent_id": agent, "project": project, "title": title}
            session = self.send("POST", "/v1/sessions", body)
            common = {"agent_id": agent, "project": project, "session_id": session["id"], "occurred_at": day}
            for entry in memories:
                text, fields = (entry, {}) if isinstance(entry, str) else entry
                self.memories[text] = self.send("POST", "/v1/memories", {"content": text, **common, **fields})["id"]
            self.send("PUT", f"/v1/sessions/{session['id']}/end", {"summary": title})
        self.say(f"{len(self.memories)} memories in {len(story.SESSIONS)} sessions")

    def decide(self) -> None:
        """Record decisions with what they rest on, and supersede one."""
        for key, fields, grounds, needs in story.DECISIONS:
            body = {**fields, "agent_id": "iris", "memory_ids": [self.memories[text] for text in grounds]}
            self.decisions[key] = self.send("POST", "/v1/decisions", body)["id"]
            for needed in needs:
                body = {"decision_id": self.decisions[needed]}
                self.send("POST", f"/v1/decisions/{self.decisions[key]}/dependencies", body)
        for key, fields, grounds in story.SUPERSEDED:
            new = self.send("POST", f"/v1/decisions/{self.decisions[key]}/supersede", fields)
            for text in grounds:
                self.send("POST", f"/v1/decisions/{new['id']}/memories", {"memory_id": self.memories[text]})
        self.say(f"{len(story.DECISIONS) + len(story.SUPERSEDED)} decisions")

    def patterns(self) -> None:
        """Record patterns and who adopted them."""
        for fields, adopters in story.PATTERNS:
            pattern = self.send("POST", "/v1/patterns", fields)
            for project in adopters:
                self.send("POST", f"/v1/patterns/{pattern['id']}/adopt", {"project": project})
        self.say(f"{len(story.PATTERNS)} patterns")

    def send(self, verb: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return its answer.

        Raises:
            DemoError: it failed.
        """
        answer = self.client.request(verb, path, json=body)
        if answer.status_code >= 400:
            raise DemoError(f"{verb} {path} answered {answer.status_code}: {answer.json().get('message')}")
        found: dict[str, Any] = answer.json()
        return found
