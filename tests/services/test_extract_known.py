"""Names the tenant already has: found exactly, by alias, and with one misspelling."""

from app.services.extract import KnownNames, Mention, extract
from app.services.extract.mention import EntityType

ROWS: list[tuple[str, str, EntityType, str]] = [
    ("robert smith", "Robert Smith", "person", "e1"),
    ("robert smith", "Bobby S.", "person", "e1"),
    ("mnemosyne", "Mnemosyne", "project", "e2"),
    ("will", "Will", "person", "e3"),
    ("webhook", "Webhook", "concept", "e4"),
    ("daniel", "Daniel", "person", "e5"),
    ("kestrel", "Kestrel", "project", "e6"),
    ("kestril", "Kestril", "product", "e7"),
    ("apollo 11", "Apollo 11", "project", "e8"),
    ("東京タワー", "東京タワー", "location", "e9"),
    ("new york", "New York", "location", "e10"),
    ("new york times", "New York Times", "document", "e11"),
]
KNOWN = KnownNames(ROWS)


def known_in(text: str, title: str | None = None) -> dict[str | None, Mention]:
    return {m.entity_id: m for m in extract(text, title, KNOWN) if m.source == "known"}


class TestExact:
    def test_a_known_name_is_found_in_any_case(self) -> None:
        mention = known_in("the mnemosyne rollout")["e2"]
        assert (mention.name, mention.entity_type, mention.start, mention.end) == ("Mnemosyne", "project", 4, 13)

    def test_an_alias_gives_the_name_and_key_of_its_entity(self) -> None:
        mention = known_in("ask Bobby S. tomorrow")["e1"]
        assert (mention.name, mention.key) == ("Robert Smith", "robert smith")

    def test_a_name_inside_a_word_is_not_found(self) -> None:
        assert known_in("remnemosynes and kestrelling") == {}

    def test_a_plural_of_a_common_noun_is_found_and_of_a_surname_is_not(self) -> None:
        assert "e4" in known_in("all webhooks failed")
        assert known_in("the daniels of this world") == {}

    def test_a_name_that_is_an_ordinary_word_must_be_spelled_as_a_name(self) -> None:
        assert known_in("it will rain") == {}
        assert "e3" in known_in("I asked Will about it")

    def test_the_longest_of_two_names_wins(self) -> None:
        assert set(known_in("I read the New York Times today")) == {"e11"}

    def test_scripts_without_blanks_need_no_word_boundary(self) -> None:
        assert "e9" in known_in("昨日東京タワーに行った")

    def test_a_known_title_is_what_the_text_is_about(self) -> None:
        mention = known_in("nothing else", "Mnemosyne")["e2"]
        assert mention.about

    def test_offsets_hold_after_letters_whose_lower_case_is_longer(self) -> None:
        mention = known_in("İİİ Mnemosyne")["e2"]
        assert (mention.start, mention.end) == (4, 13)

    def test_no_names_find_nothing(self) -> None:
        assert KnownNames([]).find("Mnemosyne") == []
        assert len(KnownNames([])) == 0

    def test_blank_names_are_ignored(self) -> None:
        assert KnownNames([("", " ", "other", "e")]).find("a b") == []


class TestMisspelled:
    def test_one_edit_in_a_longer_name_is_forgiven(self) -> None:
        for spelled in ("Mnemosine", "Mnemosyn", "Mnemosynee", "Mnemsoyne"):
            assert known_in(f"we shipped {spelled} today")["e2"].name == "Mnemosyne"

    def test_two_edits_are_another_name(self) -> None:
        assert known_in("we shipped Mnamosine today") == {}

    def test_a_misspelling_of_two_names_is_neither(self) -> None:
        assert known_in("we shipped Kestral today") == {}

    def test_another_first_name_is_no_misspelling(self) -> None:
        assert known_in("I met Daniela yesterday") == {}

    def test_another_number_is_no_misspelling(self) -> None:
        assert "e8" not in known_in("the mission Apollo 12 flew")

    def test_a_misspelled_name_is_not_a_second_entity(self) -> None:
        found = extract("we shipped Mnemosine today", known=KNOWN)
        assert [m.key for m in found] == ["mnemosyne"]
