// Recorded exchanges: what a connector is told, what it sends, what comes back, and what it makes of it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { decode, encode } from "../utf8.js";

/** When a case happens that does not say it. */
const NOW = "2031-01-01T00:00:00Z";
const MOST_STEPS = 8;
const MOST_REQUESTS = 16;
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

// Headers of the connection and of the host, and parts of names of those that let somebody in.
const NOT_OURS = (
  "host content-length transfer-encoding connection upgrade te trailer expect cookie forwarded x-real-ip " +
  "x-original-url x-http-method-override keep-alive"
).split(" ");
const SECRET = ["authorization", "token", "secret", "password", "api-key", "signature"];

export function play(connector, { name, tell, context: said = {}, exchanges: recorded, outcome }) {
  const [[tag, what]] = Object.entries(tell);
  const subject = { tag, val: JSON.stringify(what) };
  const description = connector.describe();
  const context = contextOf(said, description);
  const rows = recorded.values();
  const exchanges = [];
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const next = connector.step(subject, context, [...exchanges]);
    if (next.tag === "done") {
      assert.ok(rows.next().done, `${name}: it is done too early`);
      assert.deepEqual(shownOutcome(next.val), outcome, name);
      return;
    }
    assert.ok(next.val.length > 0, `${name}: it sends nothing and is not done`);
    send(name, description, next.val, rows, exchanges);
  }
  assert.fail(`${name}: it is not done after ${MOST_STEPS} steps`);
}

/** Sends requests until one of them is not answered with 2xx. */
function send(name, description, requests, rows, exchanges) {
  for (const request of requests) {
    permitted(name, description, request);
    const { value: row, done } = rows.next();
    assert.ok(!done, `${name}: one request too many`);
    assert.deepEqual(shown(request), row.request, name);
    exchanges.push(exchange(request, row));
    assert.ok(exchanges.length <= MOST_REQUESTS, `${name}: more than ${MOST_REQUESTS} requests`);
    const { tag, val } = exchanges.at(-1).response;
    if (tag !== "ok" || val.status < 200 || val.status > 299) return;
  }
}

function permitted(name, { endpoints, credentials }, request) {
  assert.ok(METHODS.includes(request.method), `${name}: the method ${request.method}`);
  const knows = (list, wanted) => list.some((it) => it.name === wanted);
  assert.ok(knows(endpoints, request.endpoint), `${name}: the endpoint ${request.endpoint} is not in its description`);
  for (const credential of request.credentials) {
    assert.ok(knows(credentials, credential), `${name}: the credential ${credential} is not in its description`);
  }
  const names = request.headers.map((header) => header.name.toLowerCase());
  assert.equal(new Set(names).size, names.length, `${name}: a header stands there twice`);
  for (const header of names) {
    const ofTheHost = NOT_OURS.includes(header) || header.startsWith("proxy-") || header.startsWith("x-forwarded-");
    const isOurs = !ofTheHost && !SECRET.some((part) => header.includes(part));
    assert.ok(isOurs, `${name}: the header ${header} is for cavra to set`);
  }
}

function shown({ method, endpoint, path, headers, credentials, body, patience }) {
  const named = Object.fromEntries(headers.map(({ name, value }) => [name, value]));
  const waits = patience === "long" ? {} : { patience };
  return { method, endpoint, path, headers: named, credentials, ...bodyOf(decode(body)), ...waits };
}

/** A body where it is JSON, and else its text. */
function bodyOf(text) {
  try {
    return { body: JSON.parse(text) };
  } catch {
    return { text };
  }
}

function shownOutcome({ verdict, reference, retryAfter }) {
  return {
    verdict,
    ...(reference === null ? {} : { reference }),
    ...(retryAfter === null ? {} : { retry_after: retryAfter }),
  };
}

function exchange({ method, endpoint, path, body }, { response, failure }) {
  const bodyDigest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
  const request = { method, endpoint, path, bodyDigest, bodyLength: body.length };
  if (failure !== undefined) return { request, response: { tag: "err", val: failure } };
  const { status, retry_after: retryAfter = null, body: answer = "" } = response;
  const text = typeof answer === "string" ? answer : JSON.stringify(answer);
  const val = { status, retryAfter, body: encode(text).subarray(0, 4096) };
  return { request, response: { tag: "ok", val } };
}

function contextOf(said, { endpoints }) {
  return {
    messageId: said.message_id ?? "",
    now: moment(said.now ?? NOW),
    happened: said.happened === undefined ? null : moment(said.happened),
    connector: said.connector ?? "",
    settings: Object.entries(said.settings ?? {}),
    credentials: said.credentials ?? [],
    paths: said.path === undefined ? [] : [[endpoints[0].name, said.path]],
  };
}

/** A moment of RFC 3339, in microseconds, of which `Date` keeps thousands. */
function moment(text) {
  const digits = (/\.(\d+)/.exec(text)?.[1] ?? "").padEnd(6, "0").slice(0, 6);
  const seconds = Math.floor(Date.parse(text) / 1000);
  const iso = new Date(seconds * 1000).toISOString().slice(0, 19);
  return { micros: seconds * 1_000_000 + Number(digits), text: `${iso}.${digits}+00:00` };
}
