"""The fields that all nouns share: what they let in, and what they make of it."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from app.clock import iso
from app.schemas.agents import Name
from app.schemas.common import Fraction, Future, Id, Metadata, Moment, Schema, Text

NINE = 1_772_528_400_000


class Note(Schema):
    """One field of each kind that tells absent from null."""

    text = Text(10, blank=False)
    count = fields.Integer(load_default=3)
    kept = fields.String(allow_none=True, metadata={"null_means_none": True})


class TestSchema:
    def test_drops_unknown_fields_and_nulls(self) -> None:
        assert Note().load({"text": None, "count": None, "no_such": 1}) == {"count": 3}

    def test_keeps_a_null_that_means_something(self) -> None:
        assert Note().load({"kept": None}) == {"kept": None, "count": 3}

    @pytest.mark.parametrize("data", [[], "text", 7, None])
    def test_refuses_what_is_no_object(self, data: Any) -> None:
        with pytest.raises(ValidationError):
            Note().load(data)


class TestText:
    @pytest.mark.parametrize("value", ["a\x00b", "\x00", "\ud800", "a\udfff", 7, None, ["a"], b"\xff"])
    def test_refuses_what_cannot_be_stored(self, value: Any) -> None:
        with pytest.raises(ValidationError):
            Text().deserialize(value)

    @pytest.mark.parametrize("value", ["", " ", "\n\t", "\u3000", "\u00a0", "\u200b", "\ufeff \u2060", "\x1b"])
    def test_may_refuse_blanks(self, value: str) -> None:
        assert Text().deserialize(value) == value
        with pytest.raises(ValidationError, match="must not be blank"):
            Text(blank=False).deserialize(value)

    def test_counts_characters_not_bytes(self) -> None:
        assert Text(3).deserialize("\U0001f600éa") == "\U0001f600éa"
        with pytest.raises(ValidationError, match="at most 3 characters"):
            Text(3).deserialize("abcd")

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
    def test_lets_every_other_text_through_unchanged(self, value: str) -> None:
        assert Text().deserialize(value) == value


class TestName:
    @pytest.mark.parametrize(
        ("sent", "meant"),
        [("R&amp;D", "R&D"), ("a &#x2F; b", "a / b"), ("&lt;x&gt;", "<x>"), (" iris ", "iris"), ("&amp;amp;", "&amp;")],
    )
    def test_unescapes_once_and_trims(self, sent: str, meant: str) -> None:
        assert Name().deserialize(sent) == meant

    @pytest.mark.parametrize("sent", ["&nbsp;", "&#0;\x00", "&#x20;"])
    def test_refuses_what_is_blank_or_broken_once_unescaped(self, sent: str) -> None:
        with pytest.raises(ValidationError):
            Name().deserialize(sent)


class TestId:
    def test_is_lower_cased(self) -> None:
        assert Id().deserialize("3D0C1F66-6D5E-4A8B-9F21-7A1B7E0F5C90") == "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"

    @pytest.mark.parametrize(
        "value",
        ["", "x", "3d0c1f666d5e4a8b9f217a1b7e0f5c90", "{3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90}",
         "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90\n", "urn:uuid:3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"],
    )  # fmt: skip
    def test_in_any_other_form_is_refused(self, value: str) -> None:
        with pytest.raises(ValidationError):
            Id().deserialize(value)


class TestMetadata:
    @pytest.mark.parametrize("value", ["text", ["a"], 7, True, {"a": "\x00"}, {"\x00": 1}, {"a": [{"b": ["x\x00"]}]}])
    def test_refuses_what_is_no_object_or_holds_nul(self, value: Any) -> None:
        with pytest.raises(ValidationError):
            Metadata().deserialize(value)

    def test_refuses_what_is_nested_without_end(self) -> None:
        value: Any = {}
        for _ in range(1000):
            value = {"a": [value]}
        with pytest.raises(ValidationError, match="deeply"):
            Metadata().deserialize(value)

    def test_counts_bytes_of_compact_json(self) -> None:
        assert Metadata().deserialize({"a": "x" * 10_232})
        for value in ({"a": "x" * 10_233}, {"a": "é" * 5_117}):
            with pytest.raises(ValidationError, match="10 KB"):
                Metadata().deserialize(value)


class TestMoment:
    @pytest.mark.parametrize(
        "value",
        ["2026-03-03T09:00:00Z", "2026-03-03T09:00:00", " 2026-03-03 09:00:00+00:00 ", "2026-03-03T11:00+02:00",
         1772528400, 1772528400.0, "1772528400", "1772528400.0", "20260303T090000Z"],
    )  # fmt: skip
    def test_loads_to_milliseconds(self, value: Any) -> None:
        assert Moment().deserialize(value) == NINE

    def test_keeps_milliseconds(self) -> None:
        assert Moment().deserialize("2026-03-03T09:00:00.123Z") == NINE + 123
        assert Moment().deserialize(1772528400.123) == NINE + 123
        assert iso(NINE + 123) == "2026-03-03T09:00:00.123Z"

    @given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.lists(st.integers())))
    def test_answers_every_other_value_with_a_reason(self, value: Any) -> None:
        try:
            found = Moment().deserialize(value)
        except ValidationError:
            return
        assert 0 <= found < 253_402_300_799_000

    def test_may_have_to_lie_in_the_future(self) -> None:
        with time_machine.travel(NINE / 1000, tick=False):
            assert Future().deserialize(NINE / 1000 + 1) == NINE + 1000
            with pytest.raises(ValidationError, match="future"):
                Future().deserialize(NINE / 1000)


class TestFraction:
    @pytest.mark.parametrize("value", [0, 1, 0.5, "0.5"])
    def test_lies_between_its_ends(self, value: Any) -> None:
        assert 0 <= Fraction().deserialize(value) <= 1

    @pytest.mark.parametrize("value", [-0.001, 1.001, "nan", "inf", float("nan"), 1e308, 10**400, "x", [], {}])
    def test_refuses_everything_else(self, value: Any) -> None:
        with pytest.raises(ValidationError):
            Fraction().deserialize(value)
