"""The command ``cavra-sdk``."""

import argparse
import sys
from pathlib import Path

from cavra_sdk.build import BuildError, build


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="cavra-sdk", description="Makes components of plugins written in Python.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("build", help="make the component of a module with a class `Plugin`")
    command.add_argument("module", help="name of the module, such as `plugin`")
    command.add_argument("--source", type=Path, default=Path(), help="folder that it lies in (the current one)")
    command.add_argument("--output", type=Path, default=Path("build/plugin.wasm"), help="file to write (build/plugin.wasm)")
    arguments = parser.parse_args()
    try:
        world = build(arguments.module, arguments.source, arguments.output)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"built {arguments.output}: a {world.kind} of {arguments.output.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
