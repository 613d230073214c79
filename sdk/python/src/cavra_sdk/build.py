"""From a module to a component that imports nothing."""

import importlib
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cavra_sdk.worlds import World, world_of

PLUGIN = "Plugin"
"""Name of the class in a plugin's module."""

LARGEST = 20 * 1024 * 1024
"""Largest component that cavra takes, in bytes."""

ENTRY = "cavra_plugin_entry"


class BuildError(Exception):
    """Why there is no component, as a sentence."""


def plugin_of(module: str, source: Path) -> tuple[type, World]:
    """The plugin's class in a module below ``source``, and the world that it is written for.

    :raises BuildError: there is none.
    """
    sys.path.insert(0, str(source.resolve()))
    try:
        plugin = getattr(importlib.import_module(module), PLUGIN)
        return plugin, world_of(plugin)
    except ModuleNotFoundError as error:
        raise BuildError(f"{error}; modules are looked for in {source}") from error
    except AttributeError as error:
        raise BuildError(f"the module {module} has no class {PLUGIN}") from error
    except TypeError as error:
        raise BuildError(str(error)) from error
    finally:
        sys.path.pop(0)


def build(module: str, source: Path, output: Path) -> World:
    """Makes the component of a module below ``source``. Answers the world that it is for.

    :raises BuildError: there is none.
    """
    _, world = plugin_of(module, source)
    packages = Path(__file__).resolve().parent.parent
    with TemporaryDirectory() as folder:
        # The component's class has a name that follows from its world, and bindings of its own.
        Path(folder, f"{ENTRY}.py").write_text(f"from {module} import {PLUGIN} as {world.export}\n")
        made = Path(folder, "plugin.wasm")
        command = [sys.executable, "-c", "import sys, componentize_py; sys.exit(componentize_py.script())"]
        command += ["--quiet", "--wit-path", str(world.wit_path()), "--world", world.name]
        command += ["--world-module", world.module, "componentize", "--stub-wasi"]
        for path in (folder, str(source.resolve()), str(packages)):
            command += ["--python-path", path]
        done = subprocess.run([*command, "--output", str(made), ENTRY], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildError(f"componentize-py: {(done.stderr or done.stdout).strip()}")
        component = made.read_bytes()
    if len(component) > LARGEST:
        raise BuildError(f"the component has {len(component)} bytes; cavra takes at most {LARGEST}")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(component)
    return world
