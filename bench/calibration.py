"""What scores and confidences are worth: of questions that can be answered, and of those asked where nobody knows.

Reads the runs that `bench.recall --absent` writes. Only the chats can be asked elsewhere: passages of one group share
facts with those of another.
"""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]

CHATS = ("locomo", "realtalk", "beam100k")
# Whose questions are asked where nobody knows: of the conversations before and after it.
STEPS = (1, -1)
BINS = 10
# How many hits of each question count for the plot.
SHOWN = 5
SIZE, MARGIN = 320, 40


def absent(step: int) -> str:
    """Return the folder of the runs of questions that were asked `step` conversations further."""
    return f"absent{step:+d}"


def report(runs: Path, answerable: str, folder: Path, plot: Path | None = None) -> str:
    """Return a table, and write the plot: share of right hits by score, over the first hits of all questions."""
    rows, points = [], []
    for name in CHATS:
        if not (runs / absent(STEPS[0]) / f"{name}.run.jsonl").exists():
            continue
        gold = {each["qid"]: set(each["gold"]) for each in lines(folder / name / "queries.jsonl")}
        known = lines(runs / answerable / f"{name}.run.jsonl")
        unknown = [row for step in STEPS for row in lines(runs / absent(step) / f"{name}.run.jsonl")]
        rows.append((name, *figures(known, unknown, gold)))
        points += [
            (score, id in gold[each["qid"]])
            for each in known
            for id, score in list(zip(each["ranked"], each["scores"], strict=True))[:SHOWN]
        ]
        points += [(score, False) for each in unknown for score in each["scores"][:SHOWN]]
    if plot is not None:
        plot.write_text(svg(bins(points)), "utf-8")
    return table(rows, bins(points))


def figures(known: Sequence[Row], unknown: Sequence[Row], gold: dict[str, set[str]]) -> tuple[float, ...]:
    """Return shares in percent: nothing said to absent ones, to those that the first five hits answer, to all that can
    be answered; high said to absent ones, to right first hits; right among all first hits that are called high."""
    high_absent = [each["confidence"][:1] == ["high"] for each in unknown]
    firsts = [
        (each["ranked"][0] in gold[each["qid"]], each["confidence"][0] == "high") for each in known if each["ranked"]
    ]
    return (
        share(each["nothing"] for each in unknown),
        share(each["nothing"] for each in known if gold[each["qid"]] & set(each["ranked"][:SHOWN])),
        share(each["nothing"] for each in known),
        share(high_absent),
        share(high for right, high in firsts if right),
        share(right for right, high in firsts if high),
    )


def share(values: Any) -> float:
    """Return how many of some truths are true, in percent."""
    listed = list(values)
    return 100 * sum(listed) / len(listed) if listed else 0.0


def bins(points: Sequence[tuple[float, bool]]) -> list[tuple[float, float, int]]:
    """Return (mean score, share right, how many) of each tenth of the scale that holds some."""
    made = []
    for at in range(BINS):
        inside = [(score, right) for score, right in points if min(int(score * BINS), BINS - 1) == at]
        if inside:
            made.append((statistics.fmean(s for s, _ in inside), statistics.fmean(r for _, r in inside), len(inside)))
    return made


def table(rows: Sequence[tuple[Any, ...]], plotted: Sequence[tuple[float, float, int]]) -> str:
    """Return the figures as text."""
    names = ("nothing/absent", "nothing/answered", "nothing/all known", "high/absent", "high/right first", "right/high")
    told = [f"{'':12s}" + "  ".join(names)]
    means = [statistics.fmean(row[at] for row in rows) for at in range(1, len(names) + 1)] if rows else []
    for row in [*rows, ("mean", *means)] if rows else []:
        told.append(
            f"{row[0]:12s}" + "  ".join(f"{value:{len(n)}.1f}" for value, n in zip(row[1:], names, strict=True))
        )
    told += ["", "score   right   hits"] + [f"{mean:5.2f}  {right:5.1%}  {count:5d}" for mean, right, count in plotted]
    return "\n".join(told)


def svg(plotted: Sequence[tuple[float, float, int]]) -> str:
    """Return the reliability plot: share of right hits over their mean score, dots sized by how many."""
    most = max((count for _, _, count in plotted), default=1)
    dots = "".join(
        f'<circle cx="{MARGIN + mean * SIZE:.1f}" cy="{MARGIN + (1 - right) * SIZE:.1f}" '
        f'r="{3 + 7 * (count / most) ** 0.5:.1f}"><title>{right:.0%} of {count} near {mean:.2f}</title></circle>'
        for mean, right, count in plotted
    )
    ticks = "".join(
        f'<text x="{MARGIN + at * SIZE / 5:.0f}" y="{SIZE + MARGIN + 16}" text-anchor="middle">{at / 5:.1f}</text>'
        f'<text x="{MARGIN - 6}" y="{MARGIN + SIZE - at * SIZE / 5 + 4:.0f}" text-anchor="end">{20 * at}%</text>'
        for at in range(6)
    )
    side = SIZE + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" '
        'font-family="sans-serif" font-size="11">'
        f'<rect width="{side}" height="{side}" fill="white"/>'
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#999"/>'
        f'<g fill="#2563eb">{dots}</g><g fill="#333">{ticks}'
        f'<text x="{side / 2}" y="{side - 4}" text-anchor="middle">score</text>'
        f'<text x="{MARGIN}" y="{MARGIN - 12}">share of hits that are right</text></g></svg>\n'
    )


def lines(path: Path) -> list[Row]:
    """Read a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
