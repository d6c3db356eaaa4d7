"""What the steps of a round work with: workspace, data, models and the Label Studio project."""

from __future__ import annotations

import inspect
import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from controller.maps import Division
from controller.strategies import Strategy, accepted_options, build_strategy
from tenth.errors import ConfigurationError
from tenth.label_studio.client import LabelStudioClient
from tenth.label_studio.crops import CropStore, build_crop_store
from tenth.progress import SILENT, Progress
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.dataset import FolderDataset, Sample
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NETWORKS, NetworkSpec
from tenth.workspace.config import Config
from tenth.workspace.secrets import label_studio_credentials
from tenth.workspace.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass
class Loop:
    """One opened workspace and all that its configuration leads to, each made on first use.

    Parameters
    ----------
    workspace : Workspace
        The opened workspace.
    progress : Progress, optional
        Where long steps show how far they are.
    """

    workspace: Workspace
    progress: Progress = field(default_factory=lambda: SILENT)

    @classmethod
    def open(cls, folder: Path, progress: Progress = SILENT) -> Loop:
        """Open the workspace in `folder`; raises ConfigurationError when there is none."""
        return cls(Workspace.open(folder), progress)

    @property
    def config(self) -> Config:
        """The validated controller.toml."""
        return self.workspace.config

    @cached_property
    def dataset(self) -> FolderDataset:
        """The data set that the configuration names."""
        return FolderDataset(self.config.data.dataset)

    @property
    def classes(self) -> ClassSet:
        """The classes of the data set."""
        return self.dataset.classes

    @cached_property
    def client(self) -> LabelStudioClient:
        """Label Studio, with the credentials of the environment."""
        credentials = label_studio_credentials(self.config.label_studio.url)
        return LabelStudioClient(credentials.url, credentials.api_key)

    @property
    def project(self) -> int:
        """Id of the Label Studio project; raises ConfigurationError before `controller init` made it."""
        project = self.config.label_studio.project
        if project <= 0:
            raise ConfigurationError(
                f"label_studio.project in {self.config.file} is {project}: this workspace "
                "has no Label Studio project yet. Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY and run "
                f"'controller init --workspace {self.workspace.folder}', which makes one."
            )
        return project

    @cached_property
    def crop_store(self) -> CropStore:
        """Where the crops of region tasks go."""
        settings = self.config.label_studio
        return build_crop_store(
            settings.crop_store,
            client=self.client,
            project=self.project,
            folder=settings.crop_folder,
            url=settings.crop_url,
        )

    @cached_property
    def strategy(self) -> Strategy:
        """How regions are ranked once there is a model."""
        selection = self.config.selection
        return build_strategy(selection.strategy, selection.seed, **self.strategy_options)

    @property
    def strategy_options(self) -> dict[str, Any]:
        """The settings of ``[selection]`` that the strategy has a parameter for."""
        selection = self.config.selection
        return accepted_options(selection.strategy, selection.model_dump(exclude={"strategy", "seed"}))

    @cached_property
    def cold_start(self) -> Strategy:
        """How regions are chosen while there is no model."""
        return build_strategy("cold-start", self.config.selection.seed)

    @property
    def network_spec(self) -> NetworkSpec:
        """The network that the configuration names; defaults go only to one that has such an option."""
        network = self.config.network
        accepted = inspect.signature(NETWORKS.get(network.name)).parameters
        options = {
            name: getattr(network, name) or None
            for name, field_ in type(network).model_fields.items()
            if name != "name" and (name in accepted or getattr(network, name) != field_.get_default())
        }
        if not network.dropout:  # as models were described before there was any
            options.pop("dropout", None)
        return NetworkSpec(network.name, len(self.classes), options)

    @property
    def crf_options(self) -> CRFOptions:
        """The dense CRF's settings."""
        return CRFOptions(**self.config.crf.model_dump())

    @property
    def division(self) -> Division:
        """How images are divided into superpixels."""
        settings = self.config.superpixels
        return Division(settings.count or None, settings.size or None, settings.compactness)

    def version_or_current(self, version: str | None) -> str:
        """Return `version`, or the one in use for ``None``; raises ConfigurationError when there is none."""
        chosen = version or self.workspace.models.current()
        if chosen is None:
            raise ConfigurationError(
                f"There is no model in {self.workspace.folder} yet. Train one with "
                f"'controller train --workspace {self.workspace.folder}'."
            )
        return chosen

    def predictor(self, version: str) -> Predictor:
        """Load the model `version` for inference."""
        training = self.config.training
        loaded = self.workspace.models.load(version)
        if loaded.classes.names != self.classes.names:
            raise ConfigurationError(
                f"Model {version} knows the classes {', '.join(loaded.classes.names)}, the data set "
                f"{self.dataset.root} has {', '.join(self.classes.names)}. Train a model on these classes."
            )
        return Predictor(loaded.network, device=training.device, precision=training.precision)

    def labelled_split(self, name: str) -> list[Sample]:
        """Return the labelled images of a split, none when the data set has no such split."""
        if name not in self.dataset.splits:
            log.info("The data set has no split '%s'", name)
            return []
        return [sample for sample in self.dataset.split(name) if sample.labels is not None]
