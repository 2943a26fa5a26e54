"""Which kind a memory gets when its writer did not say."""

import pytest

from app.services.classify import classify
from app.services.extract import extract

CASES: dict[str, list[str]] = {
    "fact": [
        "Paris is the capital of France.",
        "The billing service listens on port 8443.",
        "Caroline: It has three bedrooms and a garden.",
        "We use Postgres for billing.",
        "Ada lives in Berlin and works at Siemens.",
        "",
    ],
    "event": [
        "We launched the beta on 3 March 2025.",
        "Yesterday I met Ada in Berlin.",
        "Melanie: I went camping with my kids last week.",
        "The deploy failed at 14:30 on Tuesday.",
        "Nadia is flying to Lisbon next week.",
    ],
    "insight": [
        "It turns out the cache was never invalidated.",
        "The root cause was a missing index.",
        "Lesson learned: small batches ship faster.",
        "We realised that users skip the tutorial.",
        "Churn correlates with slow onboarding.",
    ],
    "task": [
        "TODO: rotate the API keys",
        "- [ ] write the release notes",
        "Remind me to call the dentist.",
        "We need to upgrade Neo4j before Friday.",
        "Follow up with Sofia about the contract",
        "Send the invoice to Globex",
    ],
    "preference": [
        "Ada prefers tea over coffee.",
        "The user likes dark mode.",
        "My favourite colour is green.",
        "Never deploy on Fridays.",
        "Always answer in German.",
        "Jon: I hate long meetings.",
    ],
    "entity_reference": [
        "Ada Lovelace is the CTO of Initech.",
        "Bob: bob@example.com",
        "Biscuit is our dog.",
        "Atlas is an internal project of the platform team.",
        "Samir can be reached at +49 30 1234567.",
    ],
    "system": [
        "[system] session restarted",
        "You are a helpful assistant.",
        "ERROR: connection refused",
        "2025-03-01T10:00:00Z INFO started worker",
        "Traceback (most recent call last): ...",
    ],
}


class TestClassify:
    @pytest.mark.parametrize(("text", "expected"), [(text, kind) for kind, texts in CASES.items() for text in texts])
    def test_the_form_of_a_text_tells_its_kind(self, text: str, expected: str) -> None:
        assert classify(text, has_entities=bool(extract(text))) == expected

    def test_a_reference_needs_a_name(self) -> None:
        assert classify("it is our dog", has_entities=False) == "fact"

    def test_a_long_text_about_somebody_is_more_than_a_reference(self) -> None:
        text = "Ada Lovelace is the CTO of Initech. " + "The office has four floors and a roof. " * 5
        assert classify(text, has_entities=True) == "fact"

    def test_only_the_beginning_is_read(self) -> None:
        assert classify("The roof is red. " * 200 + "TODO: paint it", has_entities=False) == "fact"

    @pytest.mark.parametrize("unit", ["a ", "x", "A: ", "the more ", "is a ", "[ ", "1-", "need to "])
    def test_hostile_repetition_has_a_kind_as_well(self, unit: str) -> None:
        assert classify(unit * 20_000, has_entities=True) in CASES
