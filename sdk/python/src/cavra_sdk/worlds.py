"""The worlds that a plugin can be written for. Each is a row; what reads it is the same for all."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from cavra_sdk.connector import Connector
from cavra_sdk.normalizer import Normalizer
from cavra_sdk.policy import PolicyPack


@dataclass(frozen=True)
class World:
    """A contract between cavra and components."""

    kind: str
    """As ``kind`` in ``plugin.yaml``."""
    base: type
    """What a plugin derives from."""
    wit: str
    """File of the contract."""
    name: str
    """Name of the world in it."""
    module: str
    """Module that its types are in."""
    export: str
    """Name that the component's class has to have."""

    def wit_path(self) -> Path:
        """Where the contract lies."""
        return Path(str(resources.files("cavra_sdk").joinpath("wit", self.wit)))


WORLDS = (
    World("connector", Connector, "connector.wit", "connector", "cavra_connector", "CavraConnector"),
    World("normalizer", Normalizer, "normalizer.wit", "normalizer", "cavra_normalizer", "CavraNormalizer"),
    World("policy-pack", PolicyPack, "policy.wit", "policy-pack", "cavra_policy", "CavraPolicy"),
)


def world_of(plugin: type) -> World:
    """The world that a class is written for.

    :raises TypeError: it derives from none of them, or from several.
    """
    found = [world for world in WORLDS if world.base in plugin.__mro__]
    if len(found) != 1:
        bases = ", ".join(f"{world.base.__module__}.{world.base.__name__}" for world in WORLDS)
        raise TypeError(f"{plugin.__module__}.{plugin.__name__} has to derive from one of {bases}")
    return found[0]
