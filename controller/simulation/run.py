"""One learning curve: a strategy asks group after group, and the network learns from the answers."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file

from controller.context import class_features, class_shares
from controller.labels import human_labels
from controller.maps import View, descriptor
from controller.merging import MergeOptions, calibrate, merge_answers
from controller.selection import budget_images, budget_pixels
from controller.simulation.annotator import Annotator
from controller.simulation.asked import (
    Asked,
    Learnable,
    label_accuracy,
    load_answers,
    load_labels,
    save_answers,
    save_labels,
    totals,
)
from controller.simulation.bounds import Splits, learn, network_of, training_options
from controller.simulation.images import LabelledPicture
from controller.simulation.kept import explained
from controller.simulation.measure import measure
from controller.simulation.results import write_json
from controller.simulation.settings import Run, Simulation
from controller.simulation.superpixel_cache import SuperpixelCache
from controller.strategies import RoundContext, Strategy, build_strategy
from tenth.errors import ConfigurationError
from tenth.progress import SILENT, Progress
from tenth.segmentation.classes import IGNORE, ClassSet
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import SegmentationNetwork
from tenth.segmentation.training import LabelledImage
from tenth.segmentation.training.sources import DiscountedImage

COMMITTEE = 4


@dataclass
class Curve:
    """A run in the making; `rounds` yields one record a group and goes on behind those already on disk.

    Parameters
    ----------
    simulation : Simulation
        What all runs share, within the pool.
    run : Run
        What this one is.
    splits : Splits
        The images.
    classes : ClassSet
        Their classes.
    initial : SegmentationNetwork
        The model of round 0; is trained further in place.
    folder : Path
        Where weights, answers and records of the run are kept.
    cache : SuperpixelCache
        Superpixels of the pool.
    progress : Progress, optional
        Where bars are shown.
    """

    simulation: Simulation
    run: Run
    splits: Splits
    classes: ClassSet
    initial: SegmentationNetwork
    folder: Path
    cache: SuperpixelCache
    progress: Progress = SILENT
    asked: list[Asked] = field(default_factory=list)
    merged: dict[str, Learnable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.strategy: Strategy = build_strategy(
            self.run.strategy, self.run.seed, **self.run.strategy_options
        )
        self.annotator = self._annotator()
        self.network = self.initial
        self.members: list[dict[str, Any]] = []
        self._remember()

    def _annotator(self) -> Annotator:
        """Return who answers; whoever labels a whole image gives each of its pixels its own class."""
        classes, seed = len(self.classes), self.run.seed
        if self.strategy.unit == "image":
            # Noise names one wrong class for all that is asked at once, which nobody does with an image.
            return Annotator("exact", classes, seed=seed)
        return Annotator(self.run.annotator, classes, self.simulation.noise, seed)

    def rounds(self) -> Iterator[dict[str, Any]]:
        """Yield the record of each round, from disk or newly made."""
        for number in range(1, self.simulation.groups + 1):
            record = self._restore(number)
            if record is None:
                record = self._round(number)
            yield record

    def _pool(self) -> list[LabelledPicture]:
        done = {asked.picture.key for asked in self.asked}
        return [picture for picture in self.splits.pool if picture.key not in done]

    def _round(self, number: int) -> dict[str, Any]:
        started = perf_counter()
        title = f"{self.run.name or self.run.strategy}, seed {self.run.seed}, round {number}"
        predictor = Predictor(self.network, device=self.simulation.device)
        new, budget = self._ask(predictor, title)
        selected = perf_counter() - started
        self.asked += new
        images = self._learnable(predictor)
        weights = self.folder / f"round-{number:03d}.safetensors"
        trained = self._learn(images, weights, number, title)
        figures = measure(
            self.network, self.classes, self.splits.val, self.splits.test, self.simulation.device
        )
        record = {
            "round": number,
            "group": [[asked.picture.key, len(asked.answers.regions)] for asked in new],
            "budget_pixels": budget,
            **totals(new),
            "label_accuracy": label_accuracy(images, self.asked),
            "figures": asdict(figures),
            "seconds": perf_counter() - started - trained[1] + trained[0],
            "selection_seconds": selected,
        }
        save_answers(self.folder / f"round-{number:03d}.npz", new)
        if not self.run.recipe.refresh:
            save_labels(self._labels_file(number), [self.merged[each.picture.key] for each in new])
        write_json(self.folder / f"round-{number:03d}.json", record)
        self._remember()
        return record

    def _restore(self, number: int) -> dict[str, Any] | None:
        """Return a round that is on disk, and take over its answers and weights."""
        path = self.folder / f"round-{number:03d}.json"
        if not path.exists():
            return None
        by_key = {picture.key: picture for picture in self.splits.pool}
        answers, weights = path.with_suffix(".npz"), path.with_suffix(".safetensors")
        with explained(path, self.folder):
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        with explained(answers, self.folder):
            self.asked += load_answers(answers, by_key)
        if not self.run.recipe.refresh:
            labels = self._labels_file(number)
            with explained(labels, self.folder):
                self.merged |= load_labels(labels, by_key)
        with explained(weights, self.folder):
            state = load_file(weights)
            self.network.load_state_dict({name: state[name] for name in self.network.state_dict()})
        self._remember()
        return record

    def _labels_file(self, number: int) -> Path:
        return self.folder / f"round-{number:03d}-labels.npz"

    def _remember(self) -> None:
        """Keep the weights of the model so far for a committee."""
        if "committee" in self.strategy.needs:
            state = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
            self.members = [*self.members, state][-COMMITTEE:]

    def _ask(self, predictor: Predictor, title: str) -> tuple[list[Asked], int]:
        """Score the pool, choose the group and its regions, and have them answered.

        Returns
        -------
        list of Asked
            The group with its answers.
        int
            Pixels that might have been asked about.
        """
        pool = self._pool()
        scores: dict[str, float] = {}
        looks: dict[str, NDArray[np.float32]] = {}
        for picture in self.progress.over(pool, len(pool), f"{title}: scoring", "image"):
            probabilities = predictor.probabilities(picture.picture)
            scores[picture.key] = self.strategy.image_score(probabilities)
            looks[picture.key] = descriptor(probabilities)
        size = min(self.simulation.group_size, len(pool))
        by_key = {picture.key: picture for picture in pool}
        group = [by_key[key] for key in self.strategy.group(scores, looks, size)]
        budgets = self._budgets(group)
        view = self._view(predictor, looks)
        asked = [
            self._ask_image(view, picture, budget)
            for picture, budget in self.progress.over(
                zip(group, budgets, strict=True), len(group), f"{title}: asking", "image"
            )
        ]
        # A last group of few images may be too small to pay for a whole one.
        if self.strategy.unit != "image" and not any(len(each.answers.regions) for each in asked):
            raise ConfigurationError(
                f"A budget of {self.run.budget} leaves no room for a single region in the {len(group)} "
                f"images of a group. Raise it, or make the regions smaller than "
                f"{self.simulation.region_size} pixels."
            )
        return asked, sum(budgets)

    def _budgets(self, group: Sequence[LabelledPicture]) -> list[int]:
        """Return how many pixels of each image may be asked about; of whole images, all of the first ones."""
        if self.strategy.unit != "image":
            return [budget_pixels(self.run.budget, *picture.truth.shape) for picture in group]
        paid = budget_images(self.run.budget, len(group))
        return [picture.truth.size if place < paid else 0 for place, picture in enumerate(group)]

    def _ask_image(self, view: View, picture: LabelledPicture, budget: int) -> Asked:
        superpixels = self.cache.regions(self.strategy, picture)
        maps = view.maps(picture.picture, superpixels)
        regions = self.strategy.select(maps, budget) if budget else []
        seen = maps.probabilities if maps.refined is None else maps.refined
        guess = np.full(picture.truth.shape, IGNORE, np.uint8)
        if seen is not None:
            guess = seen.argmax(axis=0).astype(np.uint8)
        salt = zlib.crc32(picture.key.encode())
        return Asked(
            picture,
            superpixels,
            self.annotator.answer(superpixels, regions, picture.truth, guess, salt),
        )

    def _view(self, predictor: Predictor, looks: Mapping[str, NDArray[np.float32]]) -> View:
        classes = len(self.classes)
        features = None
        if "features" in self.strategy.needs:
            features = class_features(self._labelled(), predictor, classes)
        committee = []
        for state in self.members[:-1]:
            member = network_of(self.simulation, classes, self.run.seed, pretrained=False)
            member.load_state_dict(state)
            committee.append(Predictor(member, device=self.simulation.device))
        return View(
            self.strategy,
            predictor,
            self.simulation.crf,
            committee=committee,
            seed=self.run.seed,
            context=RoundContext(class_shares(looks, classes), features),
        )

    def _labelled(self) -> list[LabelledImage]:
        """Return the initial set and all that was asked, with people's labels alone.

        Without an initial set there is nothing before the first answers: no class has features then, and
        `sp-crf-class` asks the first group as `sp-crf` does.
        """
        answered = []
        for asked in self.asked:
            labels = human_labels(asked.superpixels, asked.answers.as_region_answers()).labels
            weights = np.ones(labels.shape, np.float32)
            answered.append(Learnable(asked.picture.key, asked.picture.picture, labels, weights))
        return [*self.splits.initial, *answered]

    def _learnable(self, predictor: Predictor) -> list[LabelledImage]:
        """Return what the network learns from: the initial set, all that was asked, maybe the rest too."""
        recipe = self.run.recipe
        images: list[LabelledImage] = list(self.splits.initial)
        if recipe.initial_weight < 1:
            images = [DiscountedImage(picture, recipe.initial_weight) for picture in self.splits.initial]
        merging = self._merging(predictor)
        for asked in self.asked:
            key = asked.picture.key
            if recipe.refresh or key not in self.merged:
                self.merged[key] = self._merge(asked, predictor, merging)
            images.append(self.merged[key])
        if recipe.unlabelled:
            for picture in self._pool():
                nothing = np.full(picture.truth.shape, IGNORE, np.uint8)
                weights = np.zeros(picture.truth.shape, np.float32)
                images.append(Learnable(picture.key, picture.picture, nothing, weights))
        return images

    def _merging(self, predictor: Predictor) -> MergeOptions:
        recipe, pseudo = self.run.recipe, self.strategy.pseudo_labels
        calibration = None
        if recipe.soft:
            crf, division = self.simulation.crf, self.cache.division
            calibration = calibrate(self.splits.val, predictor, pseudo, crf, division)
        return MergeOptions(pseudo, recipe.propagate, recipe.min_confidence, recipe.sieve, calibration)

    def _merge(self, asked: Asked, predictor: Predictor, merging: MergeOptions) -> Learnable:
        picture = asked.picture.picture
        merged = merge_answers(
            picture,
            asked.superpixels,
            asked.answers.as_region_answers(),
            predictor.probabilities(picture) if merging.needs_probabilities else None,
            merging,
            self.simulation.crf,
        )
        weights = merged.weights(soft=self.run.recipe.soft)
        return Learnable(asked.picture.key, picture, merged.labels, weights)

    def _learn(
        self, images: Sequence[LabelledImage], weights: Path, number: int, title: str
    ) -> tuple[float, float]:
        """Train on or again; return the seconds of the training, and those that this call spent on it."""
        recipe, simulation, seed = self.run.recipe, self.simulation, self.run.seed
        steps, order = simulation.steps_of(number), seed + 1000 * number
        if recipe.restart and number == simulation.groups:
            steps, order = simulation.all_steps, seed
            start = network_of(simulation, len(self.classes), seed, pretrained=True)
            self.network.load_state_dict(start.state_dict())
        options = training_options(simulation, steps, order, consistency=recipe.consistency, mix=recipe.mix)
        started = perf_counter()
        seconds = learn(self.network, images, options, weights, self.progress, f"{title}: training")
        return seconds, perf_counter() - started
