"""The API document that is served for Azen."""

from functools import cache
from typing import Any

import yaml

from app.compat.azen import API, KEY_HEADER
from app.compat.azen_spec import document as written


@cache
def document() -> dict[str, Any]:
    """Return the document, read."""
    found: dict[str, Any] = yaml.safe_load(written(API, KEY_HEADER))
    return found
