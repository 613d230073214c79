#!/usr/bin/env node
// The command `cavra-sdk build MODULE [--output FILE]`.

import { parseArgs } from "node:util";

import { build } from "../src/build.js";

const USAGE = "usage: cavra-sdk build MODULE [--output build/plugin.wasm]";

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { output: { type: "string", default: "build/plugin.wasm" } },
  });
  if (positionals.length !== 2 || positionals[0] !== "build") throw new Error(USAGE);
  const { kind, bytes } = await build(positionals[1], values.output);
  console.log(`built ${values.output}: a ${kind} of ${bytes} bytes`);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
