"""Recall: what a tenant knows about a question, best first. It never writes."""

from app.services.recall.duplicates import find_duplicate
from app.services.recall.search import Hit, search

__all__ = ["Hit", "find_duplicate", "search"]
