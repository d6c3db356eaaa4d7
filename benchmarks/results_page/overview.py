"""The README's tables: a few strategies in a line each."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.ablation import BY_CHANCE
from benchmarks.results_page.efficiency import all_series
from benchmarks.results_page.load import Results
from benchmarks.results_page.rows import BASELINE, BOUND, BOUND_ALIKE, LEARNED_ALIKE
from benchmarks.results_page.series import Series, pick
from benchmarks.results_page.words import NOTHING, mean, percent, points, share, table, whole

THESIS_WAY = "the thesis's way"
RESTARTED = "last model trained anew"
SHOWN = (
    (f"P and `random-regions`, {THESIS_WAY}", "random-regions", 0.1),
    (f"P and `sp-crf`, {THESIS_WAY}", "sp-crf", 0.1),
    (f"P and `tenth`, {RESTARTED}", "tenth", 0.05),
    (f"P and `tenth`, {RESTARTED}", "tenth", 0.1),
    ("the same, trained on from round to round (earlier series)", "tenth without restart", 0.1),
)
ASKING = (
    ("`random-regions`", f"random-regions {LEARNED_ALIKE}"),
    ("`sp-crf`", f"sp-crf {LEARNED_ALIKE}"),
    ("`tenth`", "tenth"),
    ("`tenth`, `selection.chance = 1`", BY_CHANCE),
)
HEAD = (
    "learned from",
    "pixels asked",
    "regions an image",
    "keys",
    "of full labels",
    "gap closed",
    "mIoU test",
    "mIoU val",
)


def overview(results: Results) -> str:
    """Return the table; a line of a strategy that has not been run says so by its empty cells."""
    series = all_series(results.label_efficiency)
    body = [_full_labels(series), _p_alone(pick(series, strategy=BASELINE))]
    for text, strategy, budget in SHOWN:
        found = pick(series, strategy=strategy, budget=budget, annotator="dominant")
        body.append([text, *(_asked(found) if found else [NOTHING] * (len(HEAD) - 1))])
    return "\n".join(table(HEAD, body)).strip()


def questions(results: Results) -> str:
    """Return what strategies ask is worth where all learn from their answers alike."""
    series = all_series(results.label_efficiency)
    body = []
    for text, strategy in ASKING:
        cells = [text]
        for budget in (0.1, 0.02):
            found = pick(series, strategy=strategy, budget=budget, annotator="dominant")
            cells += _worth(found) if found else [NOTHING] * 3
        body.append(cells)
    head = [
        "questions",
        "a tenth: gap closed",
        "mIoU val",
        "keys",
        "a fiftieth: gap closed",
        "mIoU val",
        "keys",
    ]
    return "\n".join(table(head, body)).strip()


def _worth(series: Series) -> list[str]:
    values = series.final("gap_closed"), series.final("miou_val"), series.final("keys")
    return [show(value) for show, value in zip((percent, points, whole), values, strict=True)]


def _full_labels(series: Sequence[Series]) -> list[str]:
    """Return the bound: of each seed the training that is better on val."""
    plain, alike = (pick(series, strategy=name) for name in (BOUND, BOUND_ALIKE))
    best = plain.finals("miou_val") if plain else {}
    if alike:
        best |= {seed: value for seed, value in alike.finals("miou_val").items() if value > best.get(seed, 0)}
    test = mean((plain.finals("full_label_miou_test") if plain else {}).values())
    ends = [points(test), points(mean(best.values()))]
    return ["full labels", NOTHING, NOTHING, NOTHING, "100 %", "100 %", *ends]


def _p_alone(series: Series | None) -> list[str]:
    if series is None:
        return ["P alone", *[NOTHING] * (len(HEAD) - 1)]
    return ["P alone", NOTHING, NOTHING, NOTHING, *_reached(series)]


def _asked(series: Series) -> list[str]:
    regions = mean(
        row["regions_per_image"]
        for seed in series.finished
        for row in series.runs[seed]
        if row.get("regions_per_image")
    )
    return [share(series["budget"]), whole(regions), whole(series.final("keys")), *_reached(series)]


def _reached(series: Series) -> list[str]:
    shares = [percent(series.final(name)) for name in ("ratio", "gap_closed")]
    return [*shares, points(series.final("miou_test")), points(series.final("miou_val"))]
