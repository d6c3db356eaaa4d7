"""What a simulated run is: everything that its numbers depend on."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from controller.merging import NO_PSEUDO_LABELS
from controller.simulation.annotator import Kind
from tenth.errors import ConfigurationError
from tenth.segmentation.crf import CRFOptions


@dataclass(frozen=True)
class Recipe:
    """What is learned from the answers, and how.

    Parameters
    ----------
    min_confidence : float
        Pseudo-labels less sure than this are ignored; 0 keeps all, as in the thesis.
    refresh : bool
        Renew what the model says about earlier groups with every round; false keeps what it said in theirs.
    propagate : bool
        Spread the answers through the CRF.
    sieve : bool
        Weigh the pixels of an answered region by how likely they are of its class.
    soft : bool
        Weigh each pseudo-label by its confidence, calibrated class by class on the validation split.
    consistency : float
        Weight of the mean teacher's loss on pixels without a label; 0 is none.
    mix : {"none", "classmix"}
        How images of a batch are mixed for it.
    initial_weight : float
        What a pixel of the initial set counts beside an answered one.
    unlabelled : bool
        Learn from the images of the pool that nobody was asked about as well (needs `consistency`).
    restart : bool
        Train the model of the last round from the start weights in one piece, for as many steps as all
        rounds together and as the bounds, rather than on from the model before.
    """

    min_confidence: float = 0.0
    refresh: bool = True
    propagate: bool = False
    sieve: bool = False
    soft: bool = False
    consistency: float = 0.0
    mix: Literal["none", "classmix"] = "none"
    initial_weight: float = 1.0
    unlabelled: bool = False
    restart: bool = False

    def __post_init__(self) -> None:
        for name, fine, wanted in (
            ("min_confidence", self.min_confidence >= 0, "0 or more"),
            ("consistency", 0 <= self.consistency < math.inf, "0 or more"),
            ("mix", self.mix in ("none", "classmix"), "'none' or 'classmix'"),
            ("mix", self.mix == "none" or self.consistency > 0, "'none' without consistency"),
            ("initial_weight", 0 < self.initial_weight <= 1, "above 0, at most 1"),
            ("unlabelled", not self.unlabelled or self.consistency > 0, "false without consistency"),
        ):
            if not fine:
                value = getattr(self, name)
                raise ConfigurationError(f"{name} = {value} in what is learned: it has to be {wanted}.")

    @property
    def uses_pseudo_labels(self) -> bool:
        """Whether any pixel gets the model's own label."""
        return self.min_confidence < NO_PSEUDO_LABELS


@dataclass(frozen=True)
class Simulation:
    """The settings that all runs of a comparison share.

    Parameters
    ----------
    dataset : str
        Folder of the data set; its splits are ``train``, ``val`` and ``test``.
    size : tuple of int or None
        Width and height that images are resized to; None keeps theirs.
    network : str
        Registered network.
    network_options : dict
        Its options.
    initial : int
        Images of the initial set; 0 starts from a network that knows the classes, as in a transfer from
        another data set.
    groups, group_size : int
        Number of groups, and images in each; a last group takes what is left, and a small pool has fewer
        (`within`).
    region_size : int
        Mean pixels of a superpixel.
    initial_steps, round_steps : int
        Training steps of the initial model, and of a round from the model before, on average.
    schedule : {"proportional", "equal"}
        Whether a round's steps grow with its labelled images, so that the last group is seen as often as the
        first, or all rounds get the same.
    batch_size : int
        Images in a step.
    learning_rate : float
        Of the first step of each training.
    class_weighting : {"none", "frequency"}
    scale : tuple of float
        See `tenth.segmentation.training.TrainingOptions`.
    crf : CRFOptions
        Of the CRF.
    device, precision : str
        Where it is computed.
    noise : float
        Share of wrong answers; whole images are labelled without mistakes.
    """

    dataset: str
    size: tuple[int, int] | None = None
    network: str = "icnet"
    network_options: dict[str, Any] = field(default_factory=dict)
    initial: int = 36
    groups: int = 6
    group_size: int = 56
    region_size: int = 170
    initial_steps: int = 600
    round_steps: int = 300
    schedule: Literal["proportional", "equal"] = "proportional"
    batch_size: int = 8
    learning_rate: float = 0.04
    class_weighting: Literal["none", "frequency"] = "frequency"
    scale: tuple[float, float] = (0.75, 1.5)
    crf: CRFOptions = field(default_factory=CRFOptions)
    device: str = "auto"
    precision: Literal["auto", "f32", "bf16"] = "auto"
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("groups", "group_size", "region_size", "initial_steps", "round_steps"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} = {getattr(self, name)}: it has to be at least 1.")
        if self.initial < 0:
            raise ConfigurationError(f"initial = {self.initial}: a number of images, 0 or more.")
        if not 0 <= self.noise < 1:
            raise ConfigurationError(f"noise = {self.noise}: a share of wrong answers, 0 to below 1.")

    @property
    def all_steps(self) -> int:
        """Steps of the model after the last round; the bounds get as many."""
        return (self.initial_steps if self.initial else 0) + self.groups * self.round_steps

    def steps_of(self, number: int) -> int:
        """Return the training steps of round `number`, the first of which is 1."""
        if self.schedule == "equal":
            return self.round_steps
        images = [self.initial + round_ * self.group_size for round_ in range(1, self.groups + 1)]
        total = self.groups * self.round_steps
        ends = [total * sum(images[:round_]) // sum(images) for round_ in (number - 1, number)]
        return max(1, ends[1] - ends[0])

    def within(self, pool: int) -> Simulation:
        """Return the same with only as many groups as there are in a pool of so many images."""
        return replace(self, groups=min(self.groups, -(-pool // self.group_size)))

    def identity(self, *, of: Literal["run", "bound", "initial"] = "run") -> dict[str, Any]:
        """Return what the result depends on, as JSON; a bound does not depend on how regions are asked."""
        values = asdict(self)
        left_out = {"device"}
        if of != "run":
            left_out |= {"region_size", "crf", "noise", "group_size", "schedule"}
        if of == "initial":
            left_out |= {"groups", "round_steps"}
        return {name: value for name, value in values.items() if name not in left_out}


@dataclass(frozen=True)
class Run:
    """One learning curve.

    Parameters
    ----------
    strategy : str
        How regions are ranked.
    seed : int
        Of the initial set, the network, the training and the strategy.
    budget : float
        Share of each group's pixels that is asked about.
    annotator : {"dominant", "exact"}
        How regions are answered; all pixels of a whole image get their own label either way.
    recipe : Recipe
        What is learned from the answers.
    strategy_options : dict
        Options of the strategy by name, where they are not its defaults.
    name : str
        What distinguishes it from other runs of the same strategy in plots and files, such as an ablation.
    """

    strategy: str
    seed: int
    budget: float
    annotator: Kind = "dominant"
    recipe: Recipe = field(default_factory=Recipe)
    strategy_options: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.budget <= 1:
            raise ConfigurationError(
                f"budget = {self.budget}: a share of the pixels, above 0 and at most 1; 0.1 is usual."
            )

    def identity(self) -> dict[str, Any]:
        """Return what tells it from all other runs of a simulation, as JSON."""
        values = asdict(self)
        if self.recipe.refresh:
            del values["recipe"]["refresh"]  # runs older than that choice are still theirs
        return values


def digest(*parts: Any) -> str:
    """Return a short name for settings: 12 hexadecimal digits of their JSON."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
