// The worlds that a plugin can be written for. Each is a row; what reads it is the same for all.

import { fileURLToPath } from "node:url";

/** Kind, contract, name of the world in it, and what a plugin exports. */
export const WORLDS = [
  { kind: "connector", wit: "connector.wit", world: "connector", exports: ["describe", "step"] },
  { kind: "normalizer", wit: "normalizer.wit", world: "normalizer", exports: ["describe", "begin", "chunk", "finish"] },
  { kind: "policy-pack", wit: "policy.wit", world: "policy-pack", exports: ["configure", "evaluate"] },
];

/** Where a contract lies. */
export function witPath(row) {
  return fileURLToPath(new URL(`../wit/${row.wit}`, import.meta.url));
}

/** The world that a module is written for: the one whose functions it exports, all of them. */
export function worldOf(plugin) {
  const found = WORLDS.filter((row) => row.exports.every((name) => typeof plugin[name] === "function"));
  if (found.length !== 1) {
    const wanted = WORLDS.map((row) => `${row.kind}: ${row.exports.join(", ")}`).join("; ");
    throw new Error(`the module has to export the functions of one kind of plugin (${wanted})`);
  }
  return found[0];
}
