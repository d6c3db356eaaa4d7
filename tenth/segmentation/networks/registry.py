"""Networks by name, and the description from which a stored network is built again."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenth.errors import ConfigurationError, DataError
from tenth.registry import Registry
from tenth.segmentation.networks.base import SegmentationNetwork

NetworkFactory = Callable[..., SegmentationNetwork]
"""``factory(classes, **options)``; options are plain values that JSON can hold."""

NETWORKS: Registry[NetworkFactory] = Registry("network", "tenth.networks")

INITIAL_WEIGHTS = frozenset({"weights", "weights_sha256"})
"""Options that say where training starts; a network whose state is loaded afterwards does not need them."""


def build_network(name: str, classes: int, **options: Any) -> SegmentationNetwork:
    """Build a network by name.

    Parameters
    ----------
    name : str
        One of ``NETWORKS.names()``.
    classes : int
        Number of classes C, at least 2.
    **options
        The network's own options; for ``icnet`` see `tenth.segmentation.networks.icnet.ICNet`.

    Returns
    -------
    SegmentationNetwork
        In training mode, on the CPU.

    Raises
    ------
    ConfigurationError
        When there is no such network or no such option (the nearest is named), or a value cannot be used.
    """
    if classes < 2:
        raise ConfigurationError(
            f"A network for {classes} classes cannot tell anything apart; give at least 2."
        )
    factory = NETWORKS.get(name)
    _check_options(name, factory, options)
    return factory(classes, **options)


def _check_options(name: str, factory: NetworkFactory, options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [key for key in parameters if key != "classes"]
    for key, value in options.items():
        if key in known:
            _check_number(name, key, value, parameters[key].default)
        else:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ConfigurationError(
                f"Network '{name}' has no option '{key}'.{hint} Known: {', '.join(known) or 'none'}."
            )


def _check_number(name: str, key: str, value: Any, default: Any) -> None:
    numbers = (int, float)
    if type(default) in numbers and type(value) not in numbers:
        raise ConfigurationError(
            f"Option '{key}' of network '{name}' is a number, such as {default}; {value!r} is none."
        )


@dataclass(frozen=True)
class NetworkSpec:
    """Everything needed to build a network again: its name, classes and options.

    Parameters
    ----------
    name : str
        Name in the registry.
    classes : int
        Number of classes C.
    options : dict
        Plain values that JSON can hold.
    """

    name: str
    classes: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def build(self, *, pretrained: bool = True) -> SegmentationNetwork:
        """Build the network.

        Parameters
        ----------
        pretrained : bool, optional
            ``False`` leaves the encoder's initial weights away. Use it when a stored state is loaded next:
            then neither the package nor the URL that the training started from has to be in reach.

        Raises
        ------
        ConfigurationError
            As `build_network`.
        """
        options = dict(self.options)
        if not pretrained:
            options = {key: value for key, value in options.items() if key not in INITIAL_WEIGHTS}
        return build_network(self.name, self.classes, **options)

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that JSON can hold."""
        return {"name": self.name, "classes": self.classes, "options": dict(self.options)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NetworkSpec:
        """Read what `to_dict` wrote.

        Raises
        ------
        DataError
            When a field is missing or of the wrong type.
        """
        match data:
            case {"name": str(name), "classes": int(classes), "options": Mapping() as options}:
                return cls(name, classes, dict(options))
        raise DataError(
            f"Not a network: {dict(data)!r}. It needs name (text), classes (number) and options (table)."
        )
