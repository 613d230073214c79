// The kit of test helpers finds what is wrong with a plugin.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode, eventOf, jsonRequest, outcomeOf, segment, Untold } from "../src/connector.js";
import { commands, factsAt, play, read, readFile } from "../src/testing/index.js";
import { worldOf } from "../src/worlds.js";

/** A connector that sends what it is made with. */
const desk = (changes = {}) => ({
  describe: () => ({
    id: "desk",
    title: "Desk",
    version: "1",
    subjects: ["event"],
    endpoints: [{ name: "desk", meaning: "a desk", example: "https://desk.example.com", pathVisible: false }],
    credentials: [{ name: "access", kinds: [{ tag: "basic" }], required: true, reason: "opens tickets" }],
    settings: [],
  }),
  step(subject, context, exchanges) {
    if (exchanges.length >= (changes.requests ?? 1)) {
      return { tag: "done", val: outcomeOf(exchanges.at(-1), (answer) => answer.id) };
    }
    const request = jsonRequest(context, "desk", eventOf(subject), { credentials: ["access"] });
    return { tag: "send", val: [{ ...request, ...changes }] };
  },
});

const recorded = {
  name: "told",
  tell: { event: { a: "ü" } },
  context: { message_id: "m" },
  exchanges: [
    {
      request: {
        method: "POST",
        endpoint: "desk",
        path: "",
        headers: { "content-type": "application/json", "idempotency-key": "m" },
        credentials: ["access"],
        body: { a: "ü" },
      },
      response: { status: 200, body: { id: "T-1" } },
    },
  ],
  outcome: { verdict: "accepted", reference: "T-1" },
};

test("a connector that keeps to its case", () => play(desk(), recorded));

for (const [changes, said] of [
  [{ method: "PUT" }, /told/],
  [{ method: "TRACE" }, /the method TRACE/],
  [{ endpoint: "other" }, /the endpoint other is not in its description/],
  [{ credentials: ["other"] }, /the credential other/],
  [{ body: encode("text") }, /told/],
  [{ patience: "short" }, /told/],
  [{ headers: [{ name: "Authorization", value: "x" }] }, /is for cavra to set/],
  [{ headers: [{ name: "x-session-token", value: "x" }] }, /is for cavra to set/],
  [{ headers: [{ name: "a", value: "1" }, { name: "A", value: "2" }] }, /stands there twice/],
  [{ requests: 2 }, /one request too many/],
]) {
  test(`a connector with ${JSON.stringify(changes)} departs from its case`, () => {
    assert.throws(() => play(desk(changes), recorded), said);
  });
}

test("a connector that is done too early, or to another end", () => {
  assert.throws(() => play(desk(), { ...recorded, exchanges: [...recorded.exchanges, ...recorded.exchanges] }), /too early/);
  assert.throws(() => play(desk(), { ...recorded, outcome: { verdict: "refused" } }), /told/);
});

test("what answers usually mean", () => {
  const verdict = (response) => outcomeOf({ request: {}, response }, () => "a b");
  const answered = (status) => verdict({ tag: "ok", val: { status, retryAfter: null, body: encode("[]") } });
  for (const [status, wanted] of [[200, "accepted"], [302, "refused"], [401, "held-up"], [429, "passing"], [503, "passing"]]) {
    assert.deepEqual(answered(status), { verdict: wanted, retryAfter: null, reference: null, detail: "" });
  }
  assert.equal(verdict({ tag: "err", val: "timed-out" }).verdict, "passing");
  assert.equal(verdict({ tag: "err", val: "not-permitted" }).verdict, "held-up");
});

test("segments of paths", () => {
  assert.equal(segment("!a b:ü?"), "!a%20b:%C3%BC%3F");
  for (const text of ["", ".", "..", "..;x", "a/b", "a\\b", "a%2fb", "a\nb"]) assert.throws(() => segment(text), Untold);
});

test("texts as UTF-8", () => {
  for (const text of ["", "a%b", "ü€😀\u0000"]) {
    assert.deepEqual(encode(text), new TextEncoder().encode(text));
    assert.equal(decode(encode(text)), text);
  }
  assert.equal(decode(encode("\ud800")), "\ufffd");
  for (const bytes of [[0xff], [0xc0, 0xaf], [0xe2, 0x82]]) assert.throws(() => decode(Uint8Array.from(bytes)), URIError);
});

/** A normalizer with an observation in each line. */
const lines = (changes = {}) => {
  let rest = "";
  let records = 0;
  const batch = (texts) => {
    const observations = texts.filter(Boolean).map((line) => {
      records += 1;
      const seen = { endpoint_id: line, deployment_target: "", provider: "acme", ...changes };
      return { part: 0, recordNumber: records, payload: JSON.stringify(seen) };
    });
    return { observations, retracted: [] };
  };
  return {
    describe: () => ({ id: "acme", title: "Acme", version: "1", formats: [], settingsSchema: "{}" }),
    begin() {},
    chunk(bytes) {
      const texts = (rest + decode(bytes)).split("\n");
      rest = texts.pop();
      return batch(texts);
    },
    finish: () => ({ last: batch([rest]), records, skipped: 0, problems: [], unknownColumns: [], about: "{}" }),
  };
};

test("an export is read however it is cut", () => {
  const { observations, summary } = read(() => lines(), encode("a\nb\nc"));
  assert.deepEqual(observations.map((seen) => seen.endpoint_id), ["a", "b", "c"]);
  assert.equal(summary.records, 3);
});

for (const [changes, said] of [
  [{ endpoint_id: 7 }, /without endpoint_id/],
  [{ provider: "other" }, /another provider/],
  [{ password: "x" }, /has no password/],
  [{ os: [] }, /os is no text/],
  [{ os: "x".repeat(1025) }, /longer than 1 KiB/],
]) {
  test(`an observation with ${Object.keys(changes)} is none`, () => {
    assert.throws(() => read(() => lines(changes), encode("a")), said);
  });
}

test("a reader that depends on where it is cut is found", () => {
  assert.throws(() => read(() => ({ ...lines({}), ...careless() }), encode("a long line ".repeat(40))), /in pieces of/);
});

function careless() {
  const inner = lines();
  return { ...inner, chunk: (bytes) => inner.chunk(encode(`${decode(bytes)}\n`)) };
}

test("actions are those of the contract", () => {
  const line = commands('echo "a"', "ls");
  assert.deepEqual(line.parts.map((part) => part.dequoted), ["echo a", "ls"]);
  assert.equal(line.effects.certainty.length, 2);
  assert.deepEqual([readFile("a").val.path, factsAt(7).now], ["a", 7]);
});

test("a plugin has one world", () => {
  assert.equal(worldOf(desk()).kind, "connector");
  assert.equal(worldOf(lines()).kind, "normalizer");
  assert.throws(() => worldOf({}), /one kind of plugin/);
  assert.throws(() => worldOf({ ...desk(), ...lines() }), /one kind of plugin/);
});
