"""The initial model that all runs of a seed start from, and what is the least and the most they can reach."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from controller.simulation.images import LabelledPicture
from controller.simulation.kept import explained
from controller.simulation.measure import Figures, measure
from controller.simulation.results import write_json
from controller.simulation.settings import Simulation, digest
from tenth.progress import SILENT, Progress
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork
from tenth.segmentation.training import LabelledImage, TrainingOptions, train
from tenth.segmentation.training.sources import DiscountedImage, Named
from tenth.segmentation.weights_file import write_weights
from tenth.workspace.files import exclusive


@dataclass(frozen=True)
class Splits:
    """The images of one seed."""

    initial: list[LabelledPicture]
    pool: list[LabelledPicture]
    val: list[LabelledPicture]
    test: list[LabelledPicture]


def network_of(simulation: Simulation, classes: int, seed: int, *, pretrained: bool) -> SegmentationNetwork:
    """Build the network; what it draws depends on the seed alone."""
    torch.manual_seed(seed)
    spec = NetworkSpec(simulation.network, classes, dict(simulation.network_options))
    return spec.build(pretrained=pretrained)


def training_options(simulation: Simulation, steps: int, seed: int, **changes: Any) -> TrainingOptions:
    """Return the options of one training."""
    return TrainingOptions(
        iterations=steps,
        batch_size=simulation.batch_size,
        learning_rate=simulation.learning_rate,
        class_weighting=simulation.class_weighting,
        scale=simulation.scale,
        seed=seed,
        device=simulation.device,
        precision=simulation.precision,
        **changes,
    )


def learn(
    network: SegmentationNetwork,
    images: Sequence[LabelledImage],
    options: TrainingOptions,
    weights: Path,
    progress: Progress = SILENT,
    title: str = "Training",
) -> float:
    """Train `network`, or load what an earlier call has trained; return the seconds that it took."""
    weights.parent.mkdir(parents=True, exist_ok=True)
    # Processes that share a folder share the initial model, too: the first trains it, the others wait.
    with exclusive(weights.with_suffix(".lock")):
        return _learn_once(network, images, options, weights, progress, title)


def _learn_once(
    network: SegmentationNetwork,
    images: Sequence[LabelledImage],
    options: TrainingOptions,
    weights: Path,
    progress: Progress,
    title: str,
) -> float:
    checkpoint = weights.with_suffix(".checkpoint")
    if weights.exists():
        with explained(weights, weights):
            state = load_file(weights)
            seconds = float(state.pop(SECONDS)[0])
            network.load_state_dict(state)
        network.eval()
        return seconds
    result = train(network, images, options, checkpoint=checkpoint, progress=progress, description=title)
    took = torch.tensor([result.seconds], dtype=torch.float64)
    write_weights(weights, {**network.state_dict(), SECONDS: took})
    checkpoint.unlink(missing_ok=True)
    return result.seconds


SECONDS = "training seconds"
"""Key under which the file of weights says how long they took."""


@dataclass(frozen=True)
class Bounds:
    """What the rounds lie between.

    Parameters
    ----------
    initial : Figures
        Of the network trained on the initial set alone, for as many steps as the last round's model; as it
        came, where there is no initial set.
    full : Figures
        Of the network trained as long on the true labels of all images.
    initial_seconds, full_seconds : float
        How long these trainings took.
    """

    initial: Figures
    full: Figures
    initial_seconds: float
    full_seconds: float


@dataclass(frozen=True)
class Reference:
    """Trains the models of one seed that all strategies share, each once, kept in `folder`."""

    simulation: Simulation
    splits: Splits
    classes: ClassSet
    seed: int
    folder: Path
    progress: Progress = SILENT

    def initial_network(self) -> SegmentationNetwork:
        """Return the model of round 0."""
        simulation = self.simulation
        network = network_of(simulation, len(self.classes), self.seed, pretrained=True)
        if not self.splits.initial:
            return network.eval()
        options = training_options(simulation, simulation.initial_steps, self.seed)
        name = f"initial-{digest(simulation.identity(of='initial'), self.seed)}"
        self._learn(network, self.splits.initial, options, name, "initial model")
        return network

    def bounds(self) -> Bounds:
        """Return the figures of the least and the most."""
        initial, seconds = self._bound("initial-labels", self.splits.initial)
        full, full_seconds = self.full_labels()
        return Bounds(initial, full, seconds, full_seconds)

    def full_labels(self, initial_weight: float = 1.0) -> tuple[Figures, float]:
        """Return the figures of the most, and the seconds of its training.

        Parameters
        ----------
        initial_weight : float, optional
            What a pixel of the initial set counts beside one of the pool, as in a recipe.
        """
        initial: Sequence[Named] = self.splits.initial
        key = "full-labels"
        if initial_weight < 1:
            initial = [DiscountedImage(picture, initial_weight) for picture in self.splits.initial]
            key = f"{key}-{initial_weight:g}"
        everything: list[Named] = [*initial, *self.splits.pool]
        everything.sort(key=lambda image: image.key)
        return self._bound(key, everything)

    def _bound(self, key: str, images: Sequence[LabelledImage]) -> tuple[Figures, float]:
        simulation = self.simulation
        name = f"{key}-{digest(simulation.identity(of='bound'), self.seed)}"
        path = self.folder / f"{name}.json"
        if path.exists():
            with explained(path, path):
                known = json.loads(path.read_text(encoding="utf-8"))
                return Figures(**known["figures"]), known["seconds"]
        network = network_of(simulation, len(self.classes), self.seed, pretrained=True)
        seconds = 0.0
        if images:
            options = training_options(simulation, simulation.all_steps, self.seed)
            seconds = self._learn(network, images, options, name, key)
        figures = measure(network, self.classes, self.splits.val, self.splits.test, simulation.device)
        write_json(path, {"figures": asdict(figures), "seconds": seconds})
        return figures, seconds

    def _learn(
        self,
        network: SegmentationNetwork,
        images: Sequence[LabelledImage],
        options: TrainingOptions,
        name: str,
        title: str,
    ) -> float:
        weights = self.folder / f"{name}.safetensors"
        return learn(network, images, options, weights, self.progress, f"Seed {self.seed}: {title}")
