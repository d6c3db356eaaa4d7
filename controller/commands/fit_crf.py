"""`controller fit-crf`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from controller.options import echo_result, make_progress, output_options, table, workspace_option
from controller.training_options import SEED

SHOWN = 10


@click.command(
    "fit-crf",
    epilog="""\b
Examples:
  controller fit-crf --workspace streets
  controller fit-crf --workspace streets --mode superpixel --search grid --trials 65 --apply""",
)
@workspace_option
@click.option(
    "--images", type=click.IntRange(2), default=100, show_default=True, help="Labelled images, at most."
)
@click.option("--search", type=click.Choice(["random", "grid"]), default="random", show_default=True)
@click.option(
    "--trials",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="Settings to try, at most; the first are those in use, a grid has k³ more.",
)
@click.option(
    "--folds", type=click.IntRange(2), default=5, show_default=True, help="Of the cross-validation."
)
@click.option("--mode", type=click.Choice(["pixel", "superpixel"]), default="pixel", show_default=True)
@click.option(
    "--measure",
    type=click.Choice(["errors-found", "miou"]),
    default="errors-found",
    show_default=True,
    help="Share of the network's errors in the most uncertain tenth of the pixels, or mIoU of the refined "
    "labels.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the random search.")
@click.option("--apply", is_flag=True, help="Write what was chosen into controller.toml.")
@output_options
def command(workspace: Path, apply: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Find weights and widths of the CRF that fit the data.

    Tries w1, sigma_alpha (2.5 to 25 % of the longer side) and sigma_beta (3 to 20) on labelled images of the
    validation split; w2 and sigma_gamma stay. Each fifth of the images (--folds) is scored with what is best
    on the others: that is the honest estimate. The final values are those best on all of them.

    By default they are chosen by the errors found, for the CRF is there to rank regions. On CamVid that
    choice also held on other images, while differences in mIoU were too small to choose by. Both measures of
    every trial are in crf-fit.json; a search by the other one needs no new trials.

    The default strategy, 'tenth', asks and learns without a CRF. The strategies 'sp-crf…' rank by it, and it
    refines pseudo-labels (labels.pseudo), what `predict --crf` writes and what the backend predicts.

    A search that was stopped goes on with the trials that it has.
    """
    from controller.fit_crf import Search, fit_workspace
    from controller.loop import Loop

    loop = Loop.open(workspace, make_progress(quiet))
    done = fit_workspace(loop, Search(**options), apply=apply)
    echo_result({**done, "applied": apply}, as_json, report(done, apply))


def report(done: dict[str, Any], applied: bool) -> list[str]:
    """Return the lines for people: the best trials, the held-out estimate and what was chosen."""
    column = {"miou": "miou", "errors-found": "errors_found"}[done["settings"]["measure"]]
    ranked = sorted(done["trials"], key=lambda row: -(row[column] or 0.0))
    header = ["w1", "sigma_alpha", "sigma_beta", "mIoU", "errors found", "s/image"]
    rows = [
        [row.get(name) for name in ("w1", "sigma_alpha", "sigma_beta", "miou", "errors_found")]
        + [row["seconds_per_image"]]
        for row in [done["network"], *ranked[:SHOWN]]
    ]
    chosen, held_out, mode = done["chosen"], done["held_out"], done["settings"]["mode"]
    values = ", ".join(f"{name} = {chosen[name]:g}" for name in ("w1", "sigma_alpha", "sigma_beta"))
    lines = [
        f"{len(done['trials'])} trials of the {mode} CRF on {len(done['images'])} images "
        f"('{done['split']}'), {done['version']}; the first row is the network alone.",
        "",
        *table(header, rows),
        "",
        f"On folds held out: {_shown(held_out['score'])}, the network alone {_shown(held_out['network'])}.",
    ]
    if (held_out["score"] or 0.0) <= (held_out["network"] or 0.0):
        lines.append("The CRF does not pay on these images: a strategy without it is the better choice.")
    if done["warning"]:
        lines.append(done["warning"])
    where = "written to controller.toml" if applied else "--apply writes it to controller.toml"
    return [*lines, f'Chosen: mode = "{mode}", {values} ({where}).']


def _shown(score: float | None) -> str:
    return "–" if score is None else f"{score:.4f}"
