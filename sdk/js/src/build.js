// From a module to a component that imports nothing.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";

import { componentize } from "componentize-qjs";

import { witPath, worldOf } from "./worlds.js";

/** Largest component that cavra takes, in bytes. */
const LARGEST = 20 * 1024 * 1024;

/**
 * Makes the component of a module. The module and what it imports have to lie below `root`, usually in its `node_modules`.
 * Answers the world's row.
 */
export async function build(module, output, root = process.cwd()) {
  const path = resolve(module);
  const row = worldOf(await import(pathToFileURL(path)));
  const component = await componentOf(row, path, resolve(root));
  if (component.length > LARGEST) {
    throw new Error(`the component has ${component.length} bytes; cavra takes at most ${LARGEST}`);
  }
  await mkdir(dirname(resolve(output)), { recursive: true });
  await writeFile(output, component);
  return { ...row, bytes: component.length };
}

async function componentOf(row, module, root) {
  const folder = await mkdtemp(join(root, ".cavra-sdk-"));
  try {
    const jsPath = join(folder, "entry.js");
    const jsSource = entry(row, relative(folder, module).split(sep).join("/"));
    await writeFile(jsPath, jsSource);
    // The worlds are synchronous, and everything of WASI is replaced by traps.
    const how = { sync: true, stubWasi: true };
    const made = await componentize({ witPath: witPath(row), world: row.world, jsSource, jsPath, moduleRoot: root, ...how });
    return made.component;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What is made a component: the plugin's functions, whose errors are texts where the contract says so. */
function entry({ kind, exports }, module) {
  const plain = (name) => `export const ${name} = plugin.${name};`;
  const told = (name) => `export function ${name}(...given) {
  try {
    return plugin.${name}(...given);
  } catch (error) {
    throw error instanceof Error ? error.message : String(error);
  }
}`;
  const texts = kind === "connector" ? ["step"] : [];
  const lines = exports.map((name) => (texts.includes(name) ? told(name) : plain(name)));
  return [`import * as plugin from ${JSON.stringify(module)};`, ...lines].join("\n");
}
