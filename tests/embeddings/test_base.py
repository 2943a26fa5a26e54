import numpy as np
import pytest

from app.embeddings.base import EmbedderMisconfigured, EmbedderUnavailable, checked_text, checked_texts, unit_vector


class TestUnitVector:
    def test_it_has_length_one_and_the_direction_of_the_answer(self) -> None:
        vector = unit_vector([3.0, 4.0])
        assert vector.dtype == np.float32
        assert vector.tolist() == pytest.approx([0.6, 0.8])

    def test_it_cannot_be_changed_by_whoever_gets_it(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            unit_vector([3.0, 4.0])[0] = 1.0

    @pytest.mark.parametrize(
        "answer", [[0.0, 0.0], [1.0, float("nan")], [1.0, float("inf")], [1e-300, 0.0], [1e200, 1e200]]
    )
    def test_a_vector_without_a_direction_is_refused(self, answer: list[float]) -> None:
        with pytest.raises(EmbedderUnavailable, match="zero or not finite"):
            unit_vector(answer)

    @pytest.mark.parametrize("answer", [[], [[1.0, 2.0]], 1.0, ["a", "b"], None, [None, 1.0], [[1.0], [1.0, 2.0]]])
    def test_what_is_not_a_list_of_numbers_is_refused(self, answer: object) -> None:
        with pytest.raises(EmbedderUnavailable):
            unit_vector(answer)  # type: ignore[arg-type]

    def test_another_length_than_expected_names_both_and_the_remedy(self) -> None:
        with pytest.raises(EmbedderMisconfigured, match="2 numbers where 3 are expected") as caught:
            unit_vector([3.0, 4.0], 3)
        assert "dimensions setting" in caught.value.remedy


class TestText:
    def test_surrounding_white_space_carries_no_meaning(self) -> None:
        assert checked_text(" \n tea \t") == "tea"

    @pytest.mark.parametrize("text", ["", "  ", "\n\t\u00a0"])
    def test_a_blank_text_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="must not be blank"):
            checked_text(text)

    def test_half_a_surrogate_pair_is_refused(self) -> None:
        with pytest.raises(ValueError, match="valid Unicode"):
            checked_text("tea \ud83c")

    def test_the_error_names_the_position_in_a_batch(self) -> None:
        with pytest.raises(ValueError, match=r"texts\[1\] must not be blank"):
            checked_texts(["tea", " "])
