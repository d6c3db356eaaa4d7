"""Models in memory: each version is read once a worker, and the last two used stay."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass

from ls_backend.runtimes import Loader
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.inference import ImagePredictor
from tenth.workspace.models import ModelStore

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedModel:
    """A version ready to predict."""

    version: str
    classes: ClassSet
    predictor: ImagePredictor


class ModelCache:
    """The models of a store that are in memory; safe to share between threads.

    Parameters
    ----------
    store : ModelStore
        Where versions come from. Its pointer is read at each request, so a new version needs no restart.
    loader : callable
        Reads a version into the runtime that predicts; see `ls_backend.runtimes`.
    size : int, optional
        How many versions stay in memory: two, that of an open group and the one in use.
    """

    def __init__(self, store: ModelStore, loader: Loader, size: int = 2) -> None:
        self._store = store
        self._loader = loader
        self._size = size
        self._models: OrderedDict[str, ServedModel] = OrderedDict()
        self._access = threading.Lock()
        self._loading = threading.Lock()

    def current(self) -> str | None:
        """Return the version in use now, ``None`` before the first; raises DataError when it is gone."""
        return self._store.current()

    def loaded(self) -> list[str]:
        """Return the versions in memory, the last used at the end; never waits for one that is loading."""
        with self._access:
            return list(self._models)

    def get(self, version: str) -> ServedModel:
        """Return a version, read from the disk when it is not in memory.

        Raises
        ------
        DataError
            When there is no such version or its files are damaged.
        ConfigurationError
            When the runtime cannot be used.
        """
        found = self._find(version)
        if found is not None:
            return found
        with self._loading:  # whoever waited here finds what the first one loaded
            return self._find(version) or self._load(version)

    def warm_up(self) -> None:
        """Read the version in use before anybody asks for it; what fails is logged and tried again later."""
        try:
            version = self.current()
            if version is not None:
                self.get(version)
        except Exception:  # a thread of its own: nobody else would hear of it
            log.exception("The model in use cannot be loaded; predictions stay empty until that is repaired")

    def _find(self, version: str) -> ServedModel | None:
        with self._access:
            found = self._models.get(version)
            if found is not None:
                self._models.move_to_end(version)
            return found

    def _load(self, version: str) -> ServedModel:
        classes, predictor = self._loader(self._store, version)
        model = ServedModel(version, classes, predictor)
        with self._access:
            self._models[version] = model
            while len(self._models) > self._size:
                self._models.popitem(last=False)
        log.info("Model %s is loaded", version)
        return model
