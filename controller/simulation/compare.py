"""Several strategies, seeds and budgets side by side: all rows of a comparison, written as they come."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from controller.selection import budget_images
from controller.simulation.bounds import Bounds, Reference, Splits, network_of
from controller.simulation.images import split_initial
from controller.simulation.kept import require_same_images
from controller.simulation.measure import Figures
from controller.simulation.results import relative, result_row, write_json
from controller.simulation.run import Curve
from controller.simulation.settings import Recipe, Run, Simulation, digest
from controller.simulation.shelf import Shelf
from controller.strategies import build_strategy
from tenth.errors import ConfigurationError
from tenth.progress import SILENT, Bar, Progress
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.inference import dropout_layers

SHARED = ("strategy", "network", "annotator", "initial_share", "seed", "round", "budget")
"""What a row and its details have in common, and no other row has."""

HELD_OUT_DRIVE = "Seq05VD"
"""CamVid's test drive of which no frame is in train; other data sets have no such column."""


@dataclass
class Comparison:
    """Runs of one simulation and the file of their rows.

    Parameters
    ----------
    simulation : Simulation
        What all runs share.
    out : Path
        JSON with ``{"runs": [row…]}``; what does not fit into a row goes to ``…_details.json`` beside it, and
        what a killed comparison goes on from into the folder ``….work``.
    resume : bool
        Go on with an earlier comparison: rows of `out` are kept, and so is what is in its folder.
    bounds : bool
        Train on the initial labels alone and on all labels too, as what the curves lie between.
    progress : Progress, optional
        Where bars are shown.
    work : Path, optional
        Another folder to go on from; comparisons may share it.
    shelf : Shelf, optional
        Images and superpixels to share with other comparisons of this process.

    Raises
    ------
    ConfigurationError
        When `out` exists and is not to be resumed, or has rows of other settings.
    """

    simulation: Simulation
    out: Path
    resume: bool = False
    bounds: bool = True
    progress: Progress = SILENT
    work: Path | None = None
    shelf: Shelf = field(default_factory=Shelf)
    rows: list[dict[str, Any]] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.out.exists() and not self.resume:
            raise ConfigurationError(
                f"{self.out} exists. Add --resume to go on with it, or name another file with --out."
            )
        self.folder = self.work or self.out.with_name(f"{self.out.stem}.work")
        if self.folder.exists() and not self.resume:
            raise ConfigurationError(
                f"{self.folder} holds what an earlier comparison has learned. Add --resume to go on with it, "
                "or delete it."
            )
        if self.resume and self.out.exists():
            self.rows = _read(self.out).get("runs", [])
            recorded = _read(self.details_file)
            self.details = recorded.get("runs", [])
            if self.rows and "about" not in recorded:
                raise ConfigurationError(
                    f"{self.out} has rows, but {self.details_file}, which tells their settings, is missing. "
                    "Put it back, or name another file with --out."
                )
            if "about" in recorded:
                self._require_same(recorded["about"], self.simulation.identity())
        self.dataset = FolderDataset(self.simulation.dataset)
        self.known_images = False
        size, region_size = self.simulation.size, self.simulation.region_size
        self.cache = self.shelf.superpixels(self.dataset, size, region_size)

    @property
    def details_file(self) -> Path:
        """Where class-wise figures go."""
        return self.out.with_name(f"{self.out.stem}_details.json")

    @property
    def classes(self) -> ClassSet:
        """The classes of the data set."""
        return self.dataset.classes

    def splits(self, seed: int) -> Splits:
        """Return the images of a seed."""
        pictures = self.shelf.pictures(self.dataset, self.simulation.size, self.progress)
        if not self.known_images:
            require_same_images(self.folder, self.simulation.size, list(chain(*pictures.values())))
            self.known_images = True
        initial, pool = split_initial(pictures["train"], self.simulation.initial, seed)
        return Splits(initial, pool, pictures["val"], pictures["test"])

    def reference(self, seed: int) -> Reference:
        """Return the models of a seed that all strategies share."""
        splits, folder = self.splits(seed), self.folder / "reference"
        simulation = self.simulation.within(len(splits.pool))
        return Reference(simulation, splits, self.classes, seed, folder, self.progress)

    def perform(self, runs: Sequence[Run]) -> list[dict[str, Any]]:
        """Do all runs and return all rows; rows are written after every round.

        Raises
        ------
        ConfigurationError
            When a run cannot be made, or there are rows of it that learned from something else, or chose
            otherwise; before any run begins.
        """
        for run in runs:
            check_run(run, self.simulation, len(self.classes))
            self._require_same_run(run)
        rounds = sum(self.reference(run.seed).simulation.groups for run in runs)
        with self.progress.bar(rounds, "All runs", "round") as bar:
            for run in runs:
                bounds = self.add_bounds(run.seed) if self.bounds else None
                self._perform(run, self.reference(run.seed), bounds, bar)
        return self.rows

    def summary(self) -> list[dict[str, Any]]:
        """Return all rows, each with the pixels that its round's budget left; None for a bound."""
        left = {_key(detail): detail.get("remainder_pixels") for detail in self.details}
        return [row | {"remainder_pixels": left.get(_key(row))} for row in self.rows]

    def _require_same_run(self, run: Run) -> None:
        """Refuse a run of which there are rows with another recipe or other options."""
        wanted = {"recipe": asdict(run.recipe), "strategy_options": run.strategy_options}
        own = (run.name or run.strategy, run.annotator, run.seed, run.budget)
        for detail in self.details:
            if tuple(detail[name] for name in ("strategy", "annotator", "seed", "budget")) == own:
                known = asdict(Recipe(**detail.get("recipe", {})))  # older than some of its settings
                self._require_same(detail | {"recipe": known}, wanted)

    def _require_same(self, recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """Refuse to add to rows that were recorded with other settings than the wanted ones."""
        present = json.loads(json.dumps(wanted))
        changed = [name for name, value in present.items() if recorded.get(name) != value]
        if changed:
            pairs = (f"{name} = {recorded.get(name)} there, {present[name]} now" for name in changed)
            raise ConfigurationError(
                f"{self.out} has results of other settings, and no file can hold both: {'; '.join(pairs)}. "
                "Give the same settings to go on with it, or name another file with --out."
            )

    def _perform(self, run: Run, reference: Reference, bounds: Bounds | None, bar: Bar) -> None:
        simulation, splits = reference.simulation, reference.splits
        folder = self.folder / f"{run.strategy}-{digest(simulation.identity(), run.identity())}"
        curve = Curve(
            simulation,
            run,
            splits,
            self.classes,
            reference.initial_network(),
            folder,
            self.cache,
            self.progress,
        )
        pool_pixels = sum(picture.truth.size for picture in splits.pool)
        keys = pixels = 0
        seconds = 0.0
        for record in curve.rounds():
            keys, pixels = keys + record["keys"], pixels + record["pixels"]
            seconds += record["seconds"]
            known = max(1, record["known_pixels"])
            figures = Figures(**record["figures"])
            spent = {
                "round": record["round"],
                "pixel_share": pixels / pool_pixels,
                "keys": keys,
                "wrong_share": record["wrong_pixels"] / known,
                "seconds": seconds,
            }
            extra = {
                "label_accuracy": record["label_accuracy"],
                "dominant_accuracy": record["right_pixels"] / known,
                "regions_per_image": record["regions"] / max(1, len(record["group"])),
                "remainder_pixels": record["budget_pixels"] - record["pixels"],
                "selection_seconds": record["selection_seconds"],
            }
            self._add(run, figures, bounds, spent, extra)
            bar.update()

    def add_bounds(self, seed: int) -> Bounds:
        """Train what the curves of a seed lie between, add the two rows, and return the figures."""
        bounds = self.reference(seed).bounds()
        ends = (
            ("initial-labels", bounds.initial, 0.0, bounds.initial_seconds),
            ("full-labels", bounds.full, 1.0, bounds.full_seconds),
        )
        for name, figures, share, seconds in ends:
            self._add_bound(Run(name, seed, 1.0, "exact"), figures, bounds, share, seconds)
        return bounds

    def add_full_labels(self, run: Run) -> None:
        """Train on all labels as the recipe of `run` weighs them, and add its row."""
        figures, seconds = self.reference(run.seed).full_labels(run.recipe.initial_weight)
        self._add_bound(run, figures, None, 1.0, seconds)

    def _add_bound(
        self, run: Run, figures: Figures, bounds: Bounds | None, share: float, seconds: float
    ) -> None:
        spent = {"round": 0, "pixel_share": share, "keys": 0, "wrong_share": None, "seconds": seconds}
        self._add(run, figures, bounds, spent, {})

    def _add(
        self,
        run: Run,
        figures: Figures,
        bounds: Bounds | None,
        spent: dict[str, Any],
        extra: dict[str, Any],
    ) -> None:
        """Put a row and its details in the place of earlier ones of the same run and round, and write."""
        held_out = figures.drives.get(HELD_OUT_DRIVE, {}).get("miou")
        values = {
            "strategy": run.name or run.strategy,
            "network": self.simulation.network,
            "annotator": run.annotator,
            "initial_share": self._initial_share(run.seed),
            "seed": run.seed,
            "budget": run.budget,
            "miou_val": figures.val["miou"],
            "miou_test": figures.test["miou"],
            "miou_test_seq05vd": held_out,
            "initial_miou_test": None if bounds is None else bounds.initial.test["miou"],
            "full_label_miou_test": None if bounds is None else bounds.full.test["miou"],
            **spent,
        }
        row = result_row(**values, **relative(values))
        key = {name: row[name] for name in SHARED}
        detail = {
            **key,
            "group_size": self.simulation.group_size,
            "region_size": self.simulation.region_size,
            "recipe": asdict(run.recipe),
            "strategy_options": run.strategy_options,
            "class_iou_test": figures.test["iou"],
            "class_iou_val": figures.val["iou"],
            "miou_test_drives": {name: each["miou"] for name, each in figures.drives.items()},
            **extra,
        }
        _put(self.rows, key, row)
        _put(self.details, {**key, "group_size": detail["group_size"]}, detail)
        write_json(self.out, {"runs": self.rows})
        write_json(self.details_file, {"about": asdict(self.simulation), "runs": self.details})

    def _initial_share(self, seed: int) -> float:
        splits = self.splits(seed)
        return round(len(splits.initial) / (len(splits.initial) + len(splits.pool)), 4)


def check_run(run: Run, simulation: Simulation, classes: int) -> None:
    """Refuse a run that would stop after hours of others.

    Raises
    ------
    ConfigurationError
        When there is no such strategy, it has no such option, or the budget or the network does not suit it.
    """
    strategy = build_strategy(run.strategy, run.seed, **run.strategy_options)
    if strategy.unit == "image" and not budget_images(run.budget, simulation.group_size):
        raise ConfigurationError(
            f"A budget of {run.budget} of the {simulation.group_size} images of a group is less than one "
            f"image, and {run.strategy} asks about whole images. Raise it, or make the groups larger."
        )
    if "passes" in strategy.needs:
        network = network_of(simulation, classes, run.seed, pretrained=False)
        if not dropout_layers(network):
            raise ConfigurationError(
                f"The strategy {run.strategy} compares passes with dropout, and {simulation.network} as set "
                "up has none. Give it some, for example with --option dropout=0.2."
            )


def _put(rows: list[dict[str, Any]], key: dict[str, Any], row: dict[str, Any]) -> None:
    for place, other in enumerate(rows):
        if all(other[name] == value for name, value in key.items()):
            rows[place] = row
            return
    rows.append(row)


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in SHARED)


def _read(path: Path) -> dict[str, Any]:
    """Return a file of rows or details; nothing when there is none."""
    if not path.exists():
        return {}
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        document["runs"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f'{path} holds no results ({error}); a file of {{"runs": […]}} was expected. Name another file.'
        ) from error
    return document
