// What connectors have in common. The types, with what each means, are in connector.d.ts.

import { decode, encode } from "./utf8.js";

export { decode, encode };

const REFERENCE = /^[A-Za-z0-9._-]{1,64}$/;

export class Untold extends Error {}

export function eventOf(subject) {
  if (subject.tag !== "event") throw new Untold("it tells events and nothing else");
  return object(subject.val);
}

export function settingOf(context, name) {
  return context.settings.find(([known]) => known === name)?.[1] ?? null;
}

export function segment(text) {
  // Some servers leave parameters out before they look for dots.
  const name = text.split(";", 1)[0];
  // oxlint-disable-next-line no-control-regex
  if (/[/\\%\u0000-\u001f\u007f]/u.test(text) || ["", ".", ".."].includes(name)) {
    throw new Untold("a text cannot be a segment of a path");
  }
  return encodeURIComponent(text).replace(/%(24|26|2B|2C|3A|3B|3D|40)/g, decodeURIComponent);
}

export function jsonRequest(context, endpoint, body, more = {}) {
  const headers = [["content-type", "application/json"], ...(more.headers ?? [])];
  if (context.messageId) headers.push(["idempotency-key", context.messageId]);
  return {
    method: more.method ?? "POST",
    endpoint,
    path: more.path ?? "",
    headers: headers.map(([name, value]) => ({ name, value })),
    body: encode(JSON.stringify(body)),
    credentials: more.credentials ?? [],
    patience: more.patience ?? "long",
  };
}

export function answerOf(exchange) {
  if (exchange.response.tag !== "ok") return {};
  try {
    return object(decode(exchange.response.val.body));
  } catch {
    return {};
  }
}

export function outcomeOf(exchange, refer = () => null) {
  const outcome = (verdict, reference = null) => ({ verdict, retryAfter: null, reference, detail: "" });
  if (exchange.response.tag !== "ok") {
    return outcome(["unreachable", "timed-out"].includes(exchange.response.val) ? "passing" : "held-up");
  }
  const { status } = exchange.response.val;
  if (status >= 200 && status < 300) {
    const reference = refer(answerOf(exchange));
    return outcome("accepted", typeof reference === "string" && REFERENCE.test(reference) ? reference : null);
  }
  if ([408, 425, 429].includes(status) || (status >= 500 && status < 600)) return outcome("passing");
  return outcome([401, 402, 403, 407].includes(status) ? "held-up" : "refused");
}

function object(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Untold("it is no JSON");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Untold("it is no JSON object");
  return value;
}
