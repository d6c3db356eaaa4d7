"""What of the thesis holds here and what does not, computed from the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from benchmarks.results_page import thesis
from benchmarks.results_page.efficiency import (
    DROPOUT,
    TENTH,
    all_series,
    at_budget,
    gap,
    set_apart,
    with_dropout,
)
from benchmarks.results_page.load import Results
from benchmarks.results_page.series import Difference, Series, difference, pick
from benchmarks.results_page.tables import interval
from benchmarks.results_page.variants import varied
from benchmarks.results_page.words import NOTHING, SEEDS, percent, share, signed, table

HOLDS, OPEN, FAILS, UNKNOWN = "holds", "not told apart", "**does not hold**", "not run yet"


@dataclass(frozen=True)
class Claim:
    """A statement of the thesis, its number and ours, and whether it holds."""

    text: str
    thesis: str
    here: str
    verdict: str


def replication(results: Results) -> list[str]:
    """Return the section on what did not replicate."""
    found = claims(results)
    failed = [each for each in found if each.verdict.startswith((FAILS, OPEN))]
    lines = ["## What did not replicate", ""]
    lines += [
        "Each statement of the thesis that these runs can test. It holds where the 95 % interval of the "
        "difference lies on its side of zero, does not where it lies on the other, and is not told apart "
        "where it contains zero. With fewer than three seeds only the sign of the mean is there to go by, "
        "and the verdict is preliminary. Strategies are compared at 10 % of the pixels, with exact answers "
        "where those were run, as in the thesis.",
        "",
    ]
    if failed:
        lines += ["Did not replicate, or not clearly:", ""]
        lines += [
            f"- {each.text}: {each.thesis} in the thesis, {each.here} here: {each.verdict}."
            for each in failed
        ]
    elif all(each.verdict == UNKNOWN for each in found):
        lines.append("Nothing can be said yet: none of it has been run.")
    else:
        lines.append("All that has been run so far agrees.")
    body = [[each.text, each.thesis, each.here, each.verdict] for each in found]
    return [*lines, "", "All statements:", "", *table(["statement", "thesis", "here", "verdict"], body)]


def claims(results: Results) -> list[Claim]:
    """Return all statements, in the order of the thesis's tables."""
    found: list[Claim] = []
    settings = set_apart(all_series(results.label_efficiency)) or {("", thesis.INITIAL_SHARE): []}
    for (_, initial), series in settings.items():
        where = f" (P = {share(round(initial, 3))})" if series else ""
        found += _order(series, where) + _levels(series, where) + _budgets(series, where)
        found += _dropout(series, where) + _wrong(series, where)
    return [*found, *_seconds(results), *_group_sizes(results), *_transfer(results)]


def judge(text: str, printed: str, each: Difference | None, expected: int = 1) -> Claim:
    """Return a claim that a difference has a sign."""
    if each is None:
        return Claim(text, printed, NOTHING, UNKNOWN)
    if each.enough:
        here = f"{signed(each.mean)} ({interval(each)})"
        return Claim(text, printed, here, {expected: HOLDS, 0: OPEN}.get(each.sign, FAILS))
    verdict = HOLDS if each.mean * expected > 0 else FAILS
    return Claim(text, printed, f"{signed(each.mean)} ({interval(each)})", f"{verdict}, preliminary")


def _order(series: Sequence[Series], where: str) -> list[Claim]:
    found = []
    for worse, better in pairwise(thesis.LADDER):
        step = _step(series, better, worse)
        printed = signed((thesis.MIOU[better] - thesis.MIOU[worse]) / 100)
        found.append(judge(f"`{better}` above `{worse}`{where}", printed, step))
    return found


def _step(series: Sequence[Series], better: str, worse: str) -> Difference | None:
    """Return how far a strategy is above another, both answered alike: exactly where both have been."""
    rows = at_budget(series, TENTH)
    for who in ("exact", "dominant"):
        one, other = (pick(rows, strategy=strategy, annotator=who) for strategy in (better, worse))
        step = difference(one.finals("miou_test"), other.finals("miou_test")) if one and other else None
        if step is not None:
            return step
    return None


def _exact(series: Sequence[Series], strategy: str) -> Series | None:
    rows = at_budget(series, TENTH)
    exact = pick(rows, strategy=strategy, annotator="exact")
    if exact is not None and exact.finished:
        return exact
    return pick(rows, strategy=strategy, annotator="dominant")


def _levels(series: Sequence[Series], where: str) -> list[Claim]:
    found = []
    for strategy in thesis.LADDER:
        printed = thesis.gap_closed(thesis.MIOU[strategy])
        text = f"`{strategy}` closes that share of the gap, or more{where}"
        run = _exact(series, strategy)
        closed = {} if run is None else run.finals("gap_closed")
        if not closed:
            found.append(Claim(text, percent(printed), NOTHING, UNKNOWN))
            continue
        over = Difference({seed: value - printed for seed, value in closed.items()})
        verdict = judge(text, "", over).verdict
        found.append(Claim(text, percent(printed), percent(fmean(closed.values())), verdict))
    return found


def _budgets(series: Sequence[Series], where: str) -> list[Claim]:
    found = []
    for less, more in pairwise(thesis.BUDGETS):
        step = None
        for who in ("dominant", "exact"):
            sides = ({"strategy": "sp-crf", "annotator": who, "budget": budget} for budget in (more, less))
            step = gap(series, *sides) or step
        printed = signed((thesis.BUDGETS[more] - thesis.BUDGETS[less]) / 100)
        found.append(judge(f"`sp-crf` at {share(more)} above {share(less)}{where}", printed, step))
    return found


def _dropout(series: Sequence[Series], where: str) -> list[Claim]:
    one, other = ({"strategy": name, "annotator": "exact"} for name in DROPOUT)
    step = gap(with_dropout(series), one, other)
    text = f"`mc-dropout` neither better nor worse than `entropy`{where}"
    claim = judge(text, signed((thesis.DROPOUT["mc-dropout"] - thesis.DROPOUT["entropy"]) / 100), step)
    if step is None:
        return [claim]
    if not step.enough:
        return [Claim(text, claim.thesis, claim.here, "too few seeds to say")]
    return [Claim(text, claim.thesis, claim.here, FAILS if step.sign else f"{HOLDS}: no difference found")]


def _wrong(series: Sequence[Series], where: str) -> list[Claim]:
    found = []
    for worse, better in pairwise(thesis.WRONG):
        one, other = _exact(series, better), _exact(series, worse)
        # Before the first group both look at the same model.
        step = difference(one.at(1, "wrong_share"), other.at(1, "wrong_share")) if one and other else None
        printed = signed(thesis.WRONG[better] - thesis.WRONG[worse])
        found.append(judge(f"`{better}` finds more wrong pixels than `{worse}`{where}", printed, step))
    return found


def _seconds(results: Results) -> list[Claim]:
    measured = {
        (row["strategy"], str(row["size"]).replace("×", "x")): float(row["seconds"])
        for row in results.seconds
    }
    pairs = [
        ("mc-dropout", "entropy", thesis.DROPOUT_SECONDS),
        *((slow, quick, thesis.SECONDS) for quick, slow in pairwise(thesis.LADDER[2:])),
    ]
    found = []
    for slow, quick, printed in pairs:
        text = f"`{slow}` takes longer than `{quick}`"
        size = next(
            (size for size in ("1024x2048", "2048x1024") if {(slow, size), (quick, size)} <= measured.keys()),
            None,
        )
        ratio = f"{printed[slow] / printed[quick]:.1f} times"
        if size is None:
            found.append(Claim(text, ratio, NOTHING, UNKNOWN))
            continue
        here = measured[slow, size] / measured[quick, size]
        late = "" if results.about("strategy_seconds.json").get("repeats", 1) >= SEEDS else ", preliminary"
        found.append(Claim(text, ratio, f"{here:.1f} times", (HOLDS if here > 1 else FAILS) + late))
    return found


def _group_sizes(results: Results) -> list[Claim]:
    small, large = "smaller groups are better at first", "larger groups are better in the end"
    found = []
    for group in varied(results, "group_size"):
        one, other = group[0], group[-1]
        sizes = f" (`{one['strategy']}`, {one['group_size']} against {other['group_size']})"
        half = [each.at(each.rounds // 2, "miou_test") for each in (one, other)]
        ends = [each.finals("miou_test") for each in (other, one)]
        found.append(judge(f"{small}{sizes}, half way", "slightly", difference(*half)))
        found.append(judge(f"{large}{sizes}", "slightly", difference(*ends)))
    return found or [Claim(text, "slightly", NOTHING, UNKNOWN) for text in (small, large)]


def _transfer(results: Results) -> list[Claim]:
    printed = signed((thesis.TRANSFER["sp-crf"] - thesis.TRANSFER["random-pixels"]) / 100)
    found = []
    for (network, _), series in (set_apart(all_series(results.transfer)) or {("", 0.0): []}).items():
        rows = at_budget(series, TENTH)
        whom = ("random-pixels", "random-regions")
        other = next((run for name in whom if (run := _exact(rows, name)) is not None), None)
        one = _exact(rows, "sp-crf")
        step = difference(one.finals("miou_test"), other.finals("miou_test")) if one and other else None
        name = other["strategy"] if other else whom[0]
        where = f", {network}" if network else ""
        found.append(judge(f"in transfer `sp-crf` above `{name}`{where}", printed, step))
    return found
