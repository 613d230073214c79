// The connector against recorded exchanges, before it is a component.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Untold } from "cavra-sdk/connector";
import { play } from "cavra-sdk/testing";

import * as plugin from "./plugin.js";

const { cases } = JSON.parse(readFileSync(new URL("tests.yaml", import.meta.url), "utf8"));

for (const recorded of cases) test(recorded.name, () => play(plugin, recorded));

test("what is no event is not told", () => {
  const context = { messageId: "m", settings: [], credentials: ["access"], paths: [] };
  for (const subject of [
    { tag: "event", val: "[]" },
    { tag: "event", val: "{" },
    { tag: "approval", val: "{}" },
  ]) {
    assert.throws(() => plugin.step(subject, context, []), Untold);
  }
});
