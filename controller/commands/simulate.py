"""`controller simulate`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from controller.options import ListsCommand, echo_result, make_progress, output_options, table
from controller.training_options import SEED, parse_options, training_option

if TYPE_CHECKING:
    from controller.simulation.compare import Comparison
    from controller.simulation.settings import Recipe, Run


@click.command(
    "simulate",
    cls=ListsCommand,
    epilog="Example:  controller simulate --dataset camvid --strategy random-regions sp-crf tenth "
    "--seeds 0 1 2 --size 240x180 --region-size 40 --round-steps 200 --out results.json --plot curves.png",
)
@click.option(
    "--dataset",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Data set with the splits train, val and test, all labelled.",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    required=True,
    help="Strategies to compare, one after the other; see docs/configuration.md.",
)
@click.option(
    "--strategy-option",
    "strategy_options",
    multiple=True,
    callback=parse_options,
    help="NAME=VALUE, as in --strategy-option purity=0, for every strategy that has such an option; see "
    "[selection] in docs/configuration.md.",
)
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    type=float,
    default=(0.1,),
    help="Shares of the pixels to ask about.",
)
@click.option("--groups", default=6, show_default=True, help="Groups, each followed by a training.")
@click.option("--group-size", default=56, show_default=True, help="Images in a group.")
@click.option("--initial", default=36, show_default=True, help="Fully labelled images; 0: none.")
@click.option("--seeds", multiple=True, type=SEED, default=(0,), help="Seeds; each repeats everything.")
@click.option(
    "--network", default="icnet", show_default=True, help="Registered network; see docs/configuration.md."
)
@click.option(
    "--encoder", default="efficientnet-lite0", show_default=True, help="Its encoder, where it has a choice."
)
@click.option("--weights", default="imagenet", show_default=True, help="Start of the encoder; '' is random.")
@training_option("option", "Further options of the network, NAME=VALUE, as in --option scale=2.0.")
@training_option("size")
@click.option("--region-size", default=170, show_default=True, help="Mean pixels of a superpixel.")
@click.option("--exact", is_flag=True, help="Paint the true classes of a region that holds several.")
@click.option(
    "--noise",
    default=0.0,
    show_default=True,
    help="Share of answers about regions or pixels that name a wrong class.",
)
@click.option("--initial-steps", default=600, show_default=True, help="Training steps of the initial model.")
@click.option("--round-steps", default=300, show_default=True, help="Training steps of a round, on average.")
@click.option(
    "--schedule",
    type=click.Choice(["proportional", "equal"]),
    default="proportional",
    show_default=True,
    help="Whether a round's steps grow with its labelled images.",
)
@training_option("batch-size")
@training_option("learning-rate")
@training_option("class-weighting")
@click.option(
    "--labels",
    type=click.Choice(["own", "thesis", "answers", "ours"]),
    default="own",
    show_default=True,
    help="What is learned from: the strategy's own recipe; 'thesis': the model's labels wherever nobody was "
    "asked; 'answers': the answers alone; 'ours': the answers, faded out where the model doubts them.",
)
@click.option(
    "--recipe",
    "changes",
    multiple=True,
    callback=parse_options,
    help="NAME=VALUE: a single change of what is learned, as in --recipe sieve=false or --recipe "
    "consistency=0.2. Names: min_confidence (pseudo-labels surer than that; above 1: none), refresh, sieve, "
    "soft (pseudo-labels weighted by calibrated confidence), consistency (a mean teacher's weight), mix "
    "(none or classmix), initial_weight, unlabelled, restart.",
)
@click.option("--propagate", is_flag=True, help="Spread answers through the CRF, where the strategy has one.")
@click.option(
    "--relabel",
    is_flag=True,
    help="Renew the pseudo-labels of all groups with every round; otherwise a group keeps those of its own.",
)
@click.option(
    "--without-bounds", is_flag=True, help="Leave out the trainings on the initial labels and on all labels."
)
@training_option("device")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Results, JSON.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Learning curves, PNG (needs the extra 'plots'); with several budgets also NAME_budgets.png, what "
    "each budget reached; NAME_entropy.png and NAME_asked.png show an image of the pool, and what the "
    "strategies ask first.",
)
@click.option("--resume", is_flag=True, help="Go on with the results in --out.")
@output_options
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Compare strategies without people: ground truth answers, all else is what real rounds do.

    Trains an initial model on a contiguous piece of each drive, then asks group after group, learns and
    measures. Rows are written to --out after every round; a killed call goes on with --resume. Class-wise
    figures go to a second file beside it, weights and answers to a folder, which may be deleted afterwards.
    """
    from controller.simulation.compare import Comparison
    from controller.simulation.settings import Run, Simulation
    from controller.simulation.strategy_options import divide_options

    if options["plot"]:
        from controller.simulation.plot_style import require_matplotlib

        require_matplotlib()  # before hours of training
    recipes = {strategy: recipe_for(strategy, options) for strategy in options["strategies"]}
    if options["propagate"] and not any(recipe.propagate for recipe in recipes.values()):
        raise click.UsageError(
            "--propagate spreads answers into pseudo-labels of the CRF, and no strategy here has any. Add "
            "one that has, such as sp-crf with --labels thesis, or leave the option out."
        )
    names = (
        "network",
        "initial",
        "groups",
        "group_size",
        "region_size",
        "initial_steps",
        "round_steps",
        "schedule",
        "learning_rate",
        "class_weighting",
    )
    simulation = Simulation(
        dataset=str(options["dataset"]),
        size=options["size"],
        network_options=encoder_options(context) | options["network_options"],
        batch_size=options["batch_size"],
        device=options["device"],
        noise=options["noise"],
        **{name: options[name] for name in names},
    )
    of_strategy = divide_options(options["strategies"], options["strategy_options"])
    runs = [
        Run(
            strategy,
            seed,
            budget,
            "exact" if options["exact"] else "dominant",
            recipes[strategy],
            of_strategy[strategy],
        )
        for seed in options["seeds"]
        for budget in options["budgets"]
        for strategy in options["strategies"]
    ]
    comparison = Comparison(
        simulation,
        options["out"],
        resume=options["resume"],
        bounds=not options["without_bounds"],
        progress=make_progress(options["quiet"]),
    )
    comparison.perform(runs)
    rows = comparison.summary()
    if options["plot"]:
        plot(rows, options["plot"])
        picture(comparison, runs[: len(options["strategies"])], options["plot"])
    columns = (
        "strategy",
        "seed",
        "round",
        "pixel_share",
        "remainder_pixels",
        "keys",
        "miou_val",
        "miou_test",
        "ratio",
        "gap_closed",
    )
    lines = table(columns, [[row[name] for name in columns] for row in rows])
    echo_result({"runs": rows}, options["as_json"], lines)


def recipe_for(strategy: str, options: Mapping[str, Any]) -> Recipe:
    """Return what is learned from the answers of a strategy; only labels of a CRF can be spread."""
    from controller.simulation.recipes import RECIPES, changed, recipe_of
    from controller.strategies import build_strategy

    recipe = changed(RECIPES.get(options["labels"]) or recipe_of(strategy), options["changes"])
    pseudo_labels = build_strategy(strategy, 0).pseudo_labels
    spreads = options["propagate"] and recipe.uses_pseudo_labels and pseudo_labels == "crf"
    return replace(recipe, propagate=spreads, refresh=recipe.refresh or options["relabel"])


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the learning curves, and beside them what each budget reached where there are several."""
    from controller.simulation.plot_lines import BOUNDS
    from controller.simulation.plots import plot_budget_curve, plot_learning_curves

    plot_learning_curves(rows, path)
    if len({row["budget"] for row in rows if row["strategy"] not in BOUNDS}) > 1:
        plot_budget_curve(rows, path.with_name(f"{path.stem}_budgets{path.suffix}"))


def picture(comparison: Comparison, runs: Sequence[Run], path: Path) -> None:
    """Draw what the strategies of one seed and budget ask first about the image in the middle of the pool."""
    from controller.simulation.pictures import draw_questions, first_questions
    from controller.strategies import build_strategy

    reference = comparison.reference(runs[0].seed)
    strategies = [build_strategy(run.strategy, run.seed, **run.strategy_options) for run in runs]
    questions = first_questions(comparison.simulation, reference, strategies, runs[0].budget)
    pool = reference.splits.pool
    files = (path.with_name(f"{path.stem}_{what}{path.suffix}") for what in ("entropy", "asked"))
    draw_questions(questions, pool[len(pool) // 2], comparison.classes, *files)


def encoder_options(context: click.Context) -> dict[str, Any]:
    """Return the network's options of ``--encoder`` and ``--weights``.

    Their defaults go to networks that can be given an encoder. What was written on the command line goes to
    any network: one that has no such option says so.
    """
    from tenth.segmentation.networks import NETWORKS

    accepted = inspect.signature(NETWORKS.get(context.params["network"])).parameters
    written = {
        name
        for name in ("encoder", "weights")
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    encoder = context.params["encoder"] if "encoder" in accepted or "encoder" in written else ""
    weights = context.params["weights"] if encoder or "weights" in written else ""
    if encoder:
        return {"encoder": encoder, "weights": weights or None}
    return {"weights": weights} if weights else {}
