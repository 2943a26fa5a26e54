"""Tags: as an array in bodies, as a comma list in queries."""

from typing import Any

from marshmallow import ValidationError, fields, validate

from app.schemas.common import Schema, Text

MOST_TAGS = 20
LONGEST_TAG = 100
LONGEST_LIST = (LONGEST_TAG + 1) * MOST_TAGS


class Tags(fields.List[str]):
    """Up to 20 tags of 1 to 100 characters; repeated ones count once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            Text(LONGEST_TAG, blank=False),
            validate=validate.Length(max=MOST_TAGS, error="must hold at most {max} tags"),
            **kwargs,
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found = [str(tag).strip() for tag in super()._deserialize(value, attr, data, **kwargs)]
        # The limit is on what is sent, and checks run on what this returns.
        return list(dict.fromkeys(found)) if len(found) <= MOST_TAGS else found


class TagList(Text):
    """Tags of a query, separated by commas; loads to a list of lower-cased tags."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(LONGEST_LIST, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        # Checks run on the list that this returns, so the text's own length is checked here.
        if len(text) > LONGEST_LIST:
            raise ValidationError(f"must be at most {LONGEST_LIST} characters long")
        tags = list(dict.fromkeys(tag.strip().casefold() for tag in text.split(",") if tag.strip()))
        if len(tags) > MOST_TAGS:
            raise ValidationError(f"must hold at most {MOST_TAGS} tags")
        return tags


class TagFilter(Schema):
    """Query arguments that pick by tags."""

    tags = TagList(metadata={"description": "Tags, comma-separated, case ignored.", "example": "queue,storage"})
    tags_match = Text(
        load_default="any",
        validate=[validate.OneOf(("any", "all"), error="must be one of: {choices}")],
        metadata={"description": "`any` of the tags (default), or `all` of them."},
    )


def tag_keys(tags: list[str]) -> list[str]:
    """Return tags as they are compared."""
    return [tag.casefold() for tag in tags]
