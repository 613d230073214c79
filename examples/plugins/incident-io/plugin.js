// incident.io: an alert for each event, by an HTTP alert source.
// https://docs.incident.io/api-reference/alert-events-v2/createhttp

// @ts-check
import { eventOf, jsonRequest, outcomeOf } from "cavra-sdk/connector";

/** @import { Connector, Members } from "cavra-sdk/connector" */

/** Characters kept of a title, and of each value. */
const LONGEST = 1000;

/** What is told of an event and of the record that it is about. */
const FACTS = ["event_type", "max_severity", "session_id", "repository", "decision", "action_type", "target", "reason"];

/** An approval that somebody is waiting for is an alert until it is decided. */
const APPROVAL = "cavra.approval.";
const WAITING = ["cavra.approval.pending", "cavra.approval.counted", "cavra.approval.break_glass"];

/** @type {Connector["describe"]} */
export function describe() {
  return {
    id: "incident-io",
    title: "incident.io",
    version: "1.0.0",
    subjects: ["event"],
    endpoints: [
      {
        name: "source",
        meaning: "an HTTP alert source",
        example: "https://api.incident.io/v2/alert_events/http/01GW2G3V0S59R238FAHPDS1R66",
        pathVisible: false,
      },
    ],
    credentials: [
      { name: "access", kinds: [{ tag: "token", val: "Bearer" }], required: true, reason: "the token of the alert source" },
    ],
    settings: [{ name: "team", meaning: "the team that the alert is for, as its `team`", values: [] }],
  };
}

/** @type {Connector["step"]} */
export function step(subject, context, exchanges) {
  const last = exchanges.at(-1);
  if (last) return { tag: "done", val: outcomeOf(last, (answer) => answer.deduplication_key) };
  const team = context.settings.find(([name]) => name === "team")?.[1];
  const body = alert(eventOf(subject), context.messageId, team ? { team } : {});
  return { tag: "send", val: [jsonRequest(context, "source", body, { credentials: ["access"] })] };
}

/**
 * The alert. An event that is sent again is the same alert; so are all events of one approval.
 * @param {Members} event
 * @param {string} id
 * @param {Record<string, string>} more
 */
function alert(event, id, more) {
  const type = text(event.event_type);
  const record = members(event.record);
  const metadata = Object.fromEntries(
    FACTS.map((name) => [name, text(event[name] ?? record[name])]).filter(([, value]) => value !== ""),
  );
  const key = type.startsWith(APPROVAL) ? text(event.record_id) || id : id;
  return {
    status: type.startsWith(APPROVAL) && !WAITING.includes(type) ? "resolved" : "firing",
    title: text(event.title) || `CAVRA ${type || "event"}`,
    ...(metadata.reason === undefined ? {} : { description: metadata.reason }),
    ...(key === "" ? {} : { deduplication_key: key }),
    metadata: { ...metadata, ...more },
  };
}

/**
 * @param {unknown} value
 * @returns {Members}
 */
function members(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? /** @type {Members} */ (value) : {};
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" || typeof value === "number" ? [...String(value)].slice(0, LONGEST).join("") : "";
}
