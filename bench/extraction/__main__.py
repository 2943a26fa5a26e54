"""Precision and recall of entity extraction on our labelled sentences: `python -m bench.extraction [--show dev]`."""

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from app.services.extract import Mention, data, extract, name_key

HERE = Path(__file__).resolve().parent
HALVES = ("dev", "test")
Counts = tuple[int, int, int]  # right, found, labelled


def load(half: str) -> list[dict[str, object]]:
    """The labelled sentences of a half: {"id", "kind", "text", "entities": [{"name", "type"}]}."""
    return [json.loads(line) for line in (HERE / f"{half}.jsonl").read_text(encoding="utf-8").splitlines()]


def measure(rows: list[dict[str, object]], show: bool = False) -> dict[str, Counts]:
    """Counts by "name" (key only), "strict" (key and type), "type:T" (strict) and "kind:K" (key only)."""
    total: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        gold = {_gold_key(item["name"]): item["type"] for item in row["entities"]}  # type: ignore[attr-defined]
        found = {m.key: m.entity_type for m in extract(str(row["text"]))}
        _count(total["name"], set(gold), set(found))
        _count(total["strict"], set(gold.items()), set(found.items()))
        _count(total[f"kind:{row['kind']}"], set(gold), set(found))
        for kind in {*gold.values(), *found.values()}:
            of_kind = [{k for k, v in side.items() if v == kind} for side in (gold, found)]
            _count(total[f"type:{kind}"], *of_kind)
        if show and gold != found:
            _explain(row, gold, found)
    return {name: (c["right"], c["found"], c["gold"]) for name, c in total.items()}


def _gold_key(name: str) -> str:
    """Dates are labelled as they are written; extraction gives them an ISO key."""
    alone: list[Mention] = extract(name)
    return alone[0].key if len(alone) == 1 and alone[0].is_date else name_key(name)


def _count(into: Counter[str], gold: Collection[object], found: Collection[object]) -> None:
    into.update(right=len(set(gold) & set(found)), found=len(found), gold=len(gold))


def _explain(row: dict[str, object], gold: Mapping[str, str], found: Mapping[str, str]) -> None:
    lost, added = set(gold) - set(found), set(found) - set(gold)
    retyped = {k: (gold[k], found[k]) for k in set(gold) & set(found) if gold[k] != found[k]}
    print(f"{row['id']}  {row['text']!r}\n    lost {sorted(lost)}  added {sorted(added)}  retyped {retyped}")


def report(half: str, counts: dict[str, Counts]) -> str:
    """A table of precision, recall and F1 in percent."""
    lines = [f"{half:<24}{'P':>7}{'R':>7}{'F1':>7}{'labelled':>10}"]
    order = ["name", "strict", *sorted(k for k in counts if ":" in k)]
    for name in order:
        right, found, gold = counts[name]
        precision, recall = right / found if found else 1.0, right / gold if gold else 1.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        lines.append(f"  {name:<22}{100 * precision:7.1f}{100 * recall:7.1f}{100 * f1:7.1f}{gold:>10}")
    return "\n".join(lines)


def _forget_names() -> None:
    """Takes the lists of names away, first names included; the lists of ordinary words stay."""
    for listed in (data.entries, data.people):
        listed.cache_clear()
    data._lines = _without(data._lines)  # type: ignore[assignment]


def _without(read: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    return lambda name: [] if name in {*data.GAZETTEERS, "people"} else read(name)


def main() -> None:
    """Prints both halves and the time a sentence takes."""
    if "--without-lists" in sys.argv:
        _forget_names()
    shown = sys.argv[sys.argv.index("--show") + 1] if "--show" in sys.argv else None
    for half in HALVES:
        rows = load(half)
        counts = measure(rows, show=half == shown)
        began = time.perf_counter()
        for row in rows:
            extract(str(row["text"]))
        each = (time.perf_counter() - began) / len(rows)
        print(f"{report(half, counts)}\n  {len(rows)} sentences, {1000 * each:.3f} ms each\n")


if __name__ == "__main__":
    main()
