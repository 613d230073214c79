"""Runs a plugin as cavra would, in the interpreter it was written with, before there is a component.

* :func:`play` holds a connector to recorded exchanges;
* :func:`read` has a normalizer read an export, cut in many ways;
* :mod:`cavra_sdk.testing.policy` makes actions and facts.
"""

from cavra_sdk.testing.connector import cases, play
from cavra_sdk.testing.normalizer import read

__all__ = ["cases", "play", "read"]
