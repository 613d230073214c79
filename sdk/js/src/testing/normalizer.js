// Exports read as cavra reads them: in pieces, cut wherever they happen to end.

import assert from "node:assert/strict";

const LARGEST_CHUNK = 64 * 1024;
const MOST_RECORDS = 50_000;
const LONGEST_FACT = 1024;
const REQUIRED = ["endpoint_id", "deployment_target", "provider"];
const FACTS = [
  "installed_version",
  "binary_sha256",
  "last_seen_at",
  "hostname",
  "serial_number",
  "os",
  "os_version",
  "management_state",
];

export function read(make, bytes, settings = {}, cuts = [LARGEST_CHUNK, 4096, 61, 7]) {
  const [first, ...others] = cuts.map((cut) => once(make(), bytes, settings, cut));
  others.forEach((again, at) => {
    assert.deepEqual(again, first, `in pieces of ${cuts[at + 1]} bytes it reads something else`);
  });
  return first;
}

function once(normalizer, bytes, settings, cut) {
  const provider = normalizer.describe().id;
  normalizer.begin(JSON.stringify(settings));
  const batches = [];
  for (let start = 0; start < bytes.length; start += cut) {
    batches.push(normalizer.chunk(bytes.subarray(start, start + cut)));
  }
  const summary = normalizer.finish();
  batches.push(summary.last);
  const retracted = new Set(batches.flatMap((batch) => batch.retracted));
  const observations = batches
    .flatMap((batch) => batch.observations)
    .filter(({ part }) => !retracted.has(part))
    .sort((one, other) => one.part - other.part)
    .map(({ payload }) => checked(payload, provider));
  assert.equal(observations.length, summary.records, "the observations are not those that the summary counts");
  assert.ok(observations.length <= MOST_RECORDS, `more than ${MOST_RECORDS} records; refuse them as too many`);
  // A summary's last batch depends on where the export was cut; what it comes to does not.
  return { observations, summary: { ...summary, last: { observations: [], retracted: [] } } };
}

function checked(payload, provider) {
  const members = JSON.parse(payload);
  for (const name of REQUIRED) assert.equal(typeof members[name], "string", `an observation without ${name}`);
  assert.equal(members.provider, provider, "an observation of another provider");
  for (const [name, value] of Object.entries(members)) {
    assert.ok(REQUIRED.includes(name) || FACTS.includes(name), `an observation has no ${name}`);
    assert.ok(["string", "number", "boolean"].includes(typeof value), `${name} is no text, number or boolean`);
    assert.ok(new TextEncoder().encode(String(value)).length <= LONGEST_FACT, `${name} is longer than 1 KiB`);
  }
  return members;
}
