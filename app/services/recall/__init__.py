"""Recall: what a tenant knows about a question, best first. It never writes."""

from app.services.recall.duplicates import find_duplicate
from app.services.recall.search import Hit, Recalled, search

__all__ = ["Hit", "Recalled", "find_duplicate", "search"]
