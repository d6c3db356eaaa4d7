"""The settings of `controller.toml`: one class a section, each key with its type, range, default and meaning.

The descriptions are what a user reads: they become the comments of the default file and part of error
messages.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from tenth.workspace import setting_checks as checks
from tenth.workspace.section import Section


class DataSection(Section):
    """Where the images are."""

    dataset: str = Field(
        default="dataset",
        min_length=1,
        description="Folder of the data set: {split}/images/*, {split}/labels/*.png and classes.json.",
    )
    pool: str = Field(
        default="",
        description="Folder or URL (s3://…, anything that fsspec opens) of the unlabelled images. "
        "Empty: the images of the training split that are not part of the initial set.",
    )
    train_split: str = Field(
        default="train", min_length=1, description="Split that the initial set is taken from."
    )
    val_split: str = Field(default="val", min_length=1, description="Split that models are validated on.")
    test_split: str = Field(
        default="test", min_length=1, description="Split for the reported numbers; never used to choose."
    )
    initial_count: int = Field(
        default=-1,
        ge=-1,
        description="Labelled images to start from: -1 takes all labelled images of the training split, 0 is "
        "a cold start without labels, N takes N of them and leaves the others to the pool.",
    )
    initial_order: Literal["spread", "contiguous", "random"] = Field(
        default="spread",
        description="How N initial images are chosen: 'spread' evenly over the split, 'contiguous' the first "
        "N, or 'random' (by the seed of [selection]).",
    )


class NetworkSection(Section):
    """Which network learns."""

    name: str = Field(
        default="icnet",
        min_length=1,
        description="Network: a name from the table of networks in docs/configuration.md.",
    )
    encoder: str = Field(
        default="efficientnet-lite0",
        min_length=1,
        # Written out: the registry of encoders needs torch, which takes seconds to import.
        description="Encoder: 'efficientnet-lite0', 'mobilenetv3-large', 'resnet18' or 'resnet50'.",
    )
    width: float = Field(
        default=1.0, gt=0, le=4, description="Multiplies the number of channels of a ResNet encoder."
    )
    weights: str = Field(
        default="imagenet",
        description="Weights that the encoder starts from: 'imagenet', a file, a URL, or '' for random ones.",
    )
    weights_sha256: Annotated[str, AfterValidator(checks.sha256)] = Field(
        default="", description="SHA-256 of the weights; required when they come from a URL."
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Dropout before the last layer; the strategies 'mc-dropout…' need some, usually 0.5.",
    )

    @model_validator(mode="after")
    def _check_hash(self) -> NetworkSection:
        if "://" in self.weights and not self.weights_sha256:
            raise ValueError("weights is a URL, so what it serves could change. Set weights_sha256 beside it")
        return self


class TrainingSection(Section):
    """How it learns: SGD with the poly learning rate."""

    initial_iterations: int = Field(
        default=2000, ge=1, description="Steps of the initial model (at most, with patience)."
    )
    round_iterations: int = Field(
        default=1000, ge=1, description="Steps of each round, from the model before (at most)."
    )
    batch_size: int = Field(default=8, ge=1, le=4096, description="Images in a step.")
    learning_rate: float = Field(default=0.04, gt=0, le=10, description="Learning rate of the first step.")
    power: float = Field(
        default=0.9, ge=0, le=10, description="Exponent with which it falls to 0: rate·(1 - i/n)^power."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Momentum of SGD.")
    weight_decay: float = Field(default=1e-4, ge=0, le=1, description="Weight decay (L2).")
    crop: Annotated[tuple[int, int] | None, PlainValidator(checks.crop)] = Field(
        default=None,
        description="Random crop [height, width] in pixels; [] takes the images' most common size.",
    )
    scale: Annotated[tuple[float, float], PlainValidator(checks.scale)] = Field(
        default=(0.75, 1.5), description="Random scale, from … to."
    )
    flip: bool = Field(default=True, description="Mirror half of the images left to right.")
    colour: float = Field(
        default=0.2, ge=0, le=1, description="Random brightness, contrast and saturation, ± this share."
    )
    class_weighting: Literal["none", "frequency"] = Field(
        default="frequency",
        description="'frequency' weighs rare classes up by the inverse logarithm of their share (ENet).",
    )
    consistency: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Weight of what a mean teacher says about pixels without a label, or with a doubted one "
        "(labels.sieve, labels.soft); 0 is none, 1 is usual.",
    )
    mix: Literal["none", "classmix"] = Field(
        default="none",
        description="'classmix' pastes half of each image's classes onto the next one (with consistency).",
    )
    pool: bool = Field(
        default=False,
        description="Let the mean teacher also say something about images that nobody was asked about (with "
        "consistency).",
    )
    device: Annotated[str, AfterValidator(checks.device)] = Field(
        default="auto", description="'cpu', 'cuda', 'cuda:1'; 'auto' takes a GPU when there is one."
    )
    precision: Literal["auto", "f32", "bf16"] = Field(
        default="auto", description="Arithmetic; 'auto' takes bf16 where it is faster."
    )
    checkpoint_every: int = Field(
        default=200, ge=1, description="Steps between checkpoints, from which a killed run resumes."
    )
    validate_every: int = Field(
        default=0, ge=0, description="Steps between validations; 0 never validates while training."
    )
    patience: int = Field(
        default=0,
        ge=0,
        description="Validations without a better score after which to stop, keeping the best; 0: never.",
    )
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="Seed of the order, the augmentation and the first weights."
    )

    @model_validator(mode="after")
    def _check_pool(self) -> TrainingSection:
        if self.pool and not self.consistency:
            raise ValueError(
                "pool = true needs a mean teacher to learn from images without labels, and consistency = 0.0 "
                "is none. Set consistency, for example to 1, or pool to false"
            )
        return self

    @model_validator(mode="after")
    def _check_patience(self) -> TrainingSection:
        if self.patience and not self.validate_every:
            raise ValueError(
                f"patience = {self.patience} counts validations, but validate_every = 0 makes none. "
                "Set validate_every, for example to 200, or patience to 0"
            )
        return self


class CRFSection(Section):
    """The fully connected CRF that refines the network's probabilities."""

    w1: float = Field(
        default=4.0, ge=0, le=1000, description="Weight of the bilateral kernel (near and of similar colour)."
    )
    sigma_alpha: float = Field(
        default=49.0,
        gt=0,
        le=10000,
        description="Its width in pixels, not scaled with the image: the default suits about 480×360, larger "
        "images want more. `controller fit-crf` finds it.",
    )
    sigma_beta: float = Field(default=13.0, gt=0, le=255, description="Its width in grey levels (0 to 255).")
    w2: float = Field(default=3.0, ge=0, le=1000, description="Weight of the smoothing kernel (near).")
    sigma_gamma: float = Field(default=3.0, gt=0, le=10000, description="Its width in pixels.")
    iterations: int = Field(default=5, ge=1, le=1000, description="Mean field iterations.")
    mode: Literal["pixel", "superpixel"] = Field(
        default="pixel",
        description="'pixel' refines every pixel; 'superpixel' the regions of [superpixels], many times "
        "faster and less exact. `controller fit-crf` measures both and finds the values above.",
    )


class SuperpixelsSection(Section):
    """The regions that people are asked about. Set exactly one of count and size."""

    count: int = Field(default=0, ge=0, description="Superpixels in an image; 0 when size says how many.")
    size: int = Field(default=1400, ge=0, description="Pixels in a superpixel; 0 when count says how many.")
    compactness: float = Field(
        default=10.0, gt=0, le=1000, description="Higher makes them squarer, lower follows colours."
    )

    @model_validator(mode="before")
    @classmethod
    def _count_instead_of_size(cls, values: Any) -> Any:
        """Take a count on its own to mean: not by size."""
        if isinstance(values, dict) and values.get("count") and "size" not in values:
            return {**values, "size": 0}
        return values

    @model_validator(mode="after")
    def _check_one(self) -> SuperpixelsSection:
        if (self.count > 0) == (self.size > 0):
            both = "both ask for a number of superpixels" if self.count else "neither says how many there are"
            raise ValueError(
                f"count = {self.count} and size = {self.size}: {both}. "
                "Set exactly one of them above 0, the other to 0"
            )
        return self


class SelectionSection(Section):
    """Which regions are asked."""

    strategy: str = Field(
        default="tenth",
        min_length=1,
        description="How regions are chosen: a name from the table of strategies in docs/configuration.md.",
    )
    group_size: int = Field(default=30, ge=1, description="Images in a round's group.")
    budget: float = Field(
        default=0.10, gt=0, le=1, description="Share of an image's pixels to ask about, at most."
    )
    max_regions: int = Field(
        default=250,
        ge=1,
        description="Regions in a round, at most; images with higher scores keep more, in the strategy's "
        "order.",
    )
    edge_weight: float = Field(
        default=2.0,
        gt=1,
        le=1000,
        description="Strategy 'entropy-edge': what entropy on edges of the image is multiplied by.",
    )
    passes: int = Field(
        default=20, ge=1, le=1000, description="Strategies 'mc-dropout…': passes with dropout per image."
    )
    flip: bool = Field(
        default=True, description="Strategy 'tenth': ask the network about the mirror image as well."
    )
    purity: float = Field(
        default=1.0,
        ge=-10,
        le=10,
        description="Strategy 'tenth': exponent of the share of a region that looks like one class; below 0 "
        "prefers regions that straddle classes, which suits people who paint.",
    )
    balance: float = Field(
        default=0.25, ge=0, le=10, description="Strategy 'tenth': exponent of the rarity of the classes."
    )
    cost: float = Field(
        default=0.0, ge=0, le=10, description="Strategy 'tenth': exponent of what an answer costs."
    )
    spread: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="Strategy 'tenth': how far regions keep from each other, in widths of a region.",
    )
    chance: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description="Strategy 'tenth': 0 takes the regions of the highest score; above, they are drawn, with "
        "probability by score ** (1 / chance): fewer keys, and on average better where few regions are asked "
        "about.",
    )
    duplicates: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="Strategy 'tenth': how much images of a group avoid to resemble each other.",
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of everything that is chosen at random.")


class LabelsSection(Section):
    """How answers become labels."""

    refresh: bool = Field(
        default=True,
        description="Renew what the model says about all groups (`pseudo`, `sieve`) with every round; false "
        "keeps what it said in an image's own, which did better with `pseudo` in our runs.",
    )
    propagate: bool = Field(
        default=False,
        description="Spread the answers to their surroundings through the CRF; with `pseudo` and a strategy "
        "that has a CRF.",
    )
    pseudo: bool = Field(
        default=False,
        description="Label what nobody was asked about by the model; false learns from the answers alone.",
    )
    min_confidence: float = Field(
        default=0.999,
        ge=0,
        le=1,
        description="Pseudo-labels less sure than this are ignored. The CRF is too sure of itself, so the "
        "useful values are near 1; 0 keeps every pixel, as in the thesis.",
    )
    soft: bool = Field(
        default=False,
        description="Weigh each pseudo-label by the model's confidence, calibrated class by class on the "
        "validation split, where that has labels.",
    )
    initial_weight: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="What a pixel of the initial set counts beside an answered one, of which there are few.",
    )
    sieve: bool = Field(
        default=True,
        description="Let pixels of an answered region count less where the model doubts that they are of the "
        "class that was named for all of it.",
    )

    @model_validator(mode="after")
    def _check_propagate(self) -> LabelsSection:
        if self.propagate and not self.pseudo:
            raise ValueError(
                "propagate = true spreads answers into the pseudo-labels around them, and pseudo = false "
                "wants none. Set pseudo = true, or propagate = false"
            )
        return self


class LabelStudioSection(Section):
    """The project that people answer in. The token comes from LABEL_STUDIO_API_KEY."""

    project: int = Field(default=0, ge=0, description="Id of the project; written by `controller init`.")
    title: str = Field(
        default="Tenth regions", min_length=1, max_length=50, description="Title of the project."
    )
    url: Annotated[str, AfterValidator(checks.web_address)] = Field(
        default="", description="Address of Label Studio; empty: LABEL_STUDIO_URL from the environment."
    )
    crop_store: str = Field(
        default="upload",
        min_length=1,
        description="Where the crops go: 'upload' (Label Studio keeps them), 'local-files' (crop_folder) "
        "or 'bucket' (crop_url).",
    )
    crop_folder: str = Field(default="", description="Folder that Label Studio serves, for 'local-files'.")
    crop_url: str = Field(default="", description="Bucket, for example s3://bucket/crops, for 'bucket'.")
    crop_context: float = Field(
        default=0.5,
        ge=0,
        le=10,
        description="What a crop shows on each side of its region, as a share of its longer side.",
    )
    import_chunk: int = Field(default=100, ge=1, le=1000, description="Tasks sent in one request.")

    @model_validator(mode="after")
    def _check_crop_store(self) -> LabelStudioSection:
        if self.crop_store == "local-files" and not self.crop_folder:
            raise ValueError(
                "crop_store = 'local-files' needs a folder that Label Studio serves. Set crop_folder"
            )
        if self.crop_store == "bucket" and not self.crop_url:
            raise ValueError(
                "crop_store = 'bucket' needs a bucket. Set crop_url, for example to 's3://bucket/crops'"
            )
        return self


class BackendSection(Section):
    """Our ML backend. Its login comes from TENTH_BACKEND_USER and TENTH_BACKEND_PASSWORD."""

    url: Annotated[str, AfterValidator(checks.web_address)] = Field(
        default="",
        description="Address under which Label Studio reaches it, http://127.0.0.1:9090; empty: no backend.",
    )
    runtime: Literal["torch", "onnxruntime", "openvino"] = Field(
        default="torch",
        description="What computes its predictions. 'onnxruntime' and 'openvino' are faster on the CPU; they "
        "need the extra 'onnx' or 'openvino' and fix the images' size (see docs/export.md).",
    )
    image_hosts: Annotated[tuple[str, ...], PlainValidator(checks.hosts)] = Field(
        default=(),
        description="Servers on the backend's own machine that pictures of tasks may be fetched from, as in "
        '["localhost:9000"]; Label Studio and other machines need not be named.',
    )


class DatabaseSection(Section):
    """Where rounds, regions and answers are kept."""

    url: Annotated[str, AfterValidator(checks.database_url)] = Field(
        default="",
        description="postgresql://user@host/name for teams (password in PGPASSWORD, or the whole URL in "
        "TENTH_DATABASE_URL); empty: an SQLite file in the workspace.",
    )
