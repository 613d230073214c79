"""Plugins for cavra in Python.

A plugin is a module with a class ``Plugin`` that derives from one of

* :class:`cavra_sdk.connector.Connector`: an event goes in, HTTP requests are described, an outcome comes out;
* :class:`cavra_sdk.normalizer.Normalizer`: an inventory export goes in as chunks, observations of endpoints come out;
* :class:`cavra_sdk.policy.PolicyPack`: what an agent wants to do goes in, findings come out.

``cavra-sdk build MODULE`` makes the WebAssembly component. It imports nothing, so it can only compute: no file, no
network, no clock, no randomness. :mod:`cavra_sdk.testing` runs a plugin in the interpreter it was written with.
"""

from componentize_py_types import Err

__all__ = ["Err"]
