"""What each arm of a search is worth, on a few labelled questions: without it, the answer that it brings is lost."""

import dataclasses

import pytest

from app.services.known_names import NameCache
from app.services.recall.look import ARMS
from app.services.words import WordCounts
from app.state import State
from tests.notebook import Meaning, Notebook, notebook_of

FIRST = 5
# Each question has the one memory that answers it, which one arm alone can bring among the first few.
LABELLED = {
    "vectors": ("feline", "my kitten dozes at noon"),
    "words": (
        "ticket zx81qq",
        "the animal of our neighbours across the yard behind the old mill by the river near those three tall trees "
        "has ticket zx81qq",
    ),
    "session": ("green bicycle purchase", "Yes, tomorrow morning."),
    "graph": ("who directed the film Blue Harbour", "Ada Lovelace was born in Trondheim."),
    "entities": ("shall we buy the green bicycle in Reykjavic", "Uncle Olaf moved to Reykjavik."),
}


@pytest.fixture(scope="module")
def labelled(parts: State) -> Notebook:
    """A tenant in which every question of LABELLED has its answer, among what is as near or as worded."""
    notes = notebook_of(dataclasses.replace(parts, embedder=Meaning(), words=WordCounts()))
    session = notes.session()
    notes.store("Shall we buy the green bicycle?", LABELLED["session"][1], session_id=session)
    notes.store("The film Blue Harbour was directed by Ada Lovelace.")
    notes.store(*(LABELLED[arm][1] for arm in ("vectors", "words", "graph", "entities")))
    notes.store(*(f"ticket office {number} is closed" for number in range(40)))
    notes.store(*(f"green paint and what became of soup {number}" for number in range(40)))
    # A process looks for names that were found meanwhile every few seconds; a new one knows them at once.
    return dataclasses.replace(notes, parts=dataclasses.replace(notes.parts, names=NameCache()))


def found(notes: Notebook, arms: tuple[str, ...]) -> set[str]:
    """Return the arms whose question is answered among the first hits."""
    return {
        arm
        for arm, (question, answer) in LABELLED.items()
        if answer in notes.ask(question, limit=FIRST, arms=list(arms))
    }


def test_there_is_a_question_for_every_arm() -> None:
    assert LABELLED.keys() == set(ARMS)


def test_all_together_answer_everything(labelled: Notebook) -> None:
    assert found(labelled, ARMS) == set(ARMS)


@pytest.mark.parametrize("arm", ARMS)
def test_without_an_arm_the_answer_that_it_brings_is_lost_and_no_other(labelled: Notebook, arm: str) -> None:
    assert found(labelled, tuple(each for each in ARMS if each != arm)) == set(ARMS) - {arm}
