/**
 * The subcommands of CLIENT for client-side caching: CACHING, GETREDIR, TRACKING, TRACKINGINFO. The keys and the
 * messages are in src/conversations/tracking.ts.
 */
import { fromLatin1 } from "../../core/bytes.ts";
import { fail, messages, shownText } from "../../core/errors.ts";
import { Tracking } from "../../conversations/tracking.ts";
import type { Session } from "../../engine/session.ts";
import type { TrackingMode } from "../../engine/tracker.ts";
import type { Call } from "../../dispatch/call.ts";
import type { CommandSpec, ValkeyVariant } from "../../dispatch/spec.ts";

const COMMON = { group: "connection", complexity: "O(1)", flags: ["noscript", "loading", "stale"] } as const;

const WHILE_BUSY: ValkeyVariant = { flags: [...COMMON.flags, "allow_busy"] };

export const trackingSubcommands: readonly CommandSpec[] = [
  {
    ...COMMON,
    name: "caching",
    summary: "Decides whether the keys that the next command reads are tracked.",
    since: "6.0.0",
    arity: 3,
    syntax: "<YES | NO>",
    valkey: WHILE_BUSY,
    handler: caching,
  },
  {
    ...COMMON,
    name: "getredir",
    summary: "Returns the connection that receives the invalidations: 0 for this one, -1 without tracking.",
    since: "6.0.0",
    arity: 2,
    syntax: "",
    valkey: WHILE_BUSY,
    handler: ({ reply, session }) => reply.integer(redirectOf(session)),
  },
  {
    ...COMMON,
    name: "tracking",
    summary:
      "Switches client-side caching on or off: whether the client hears of keys that change after it has read them.",
    since: "6.0.0",
    complexity: "O(N) with N prefixes, else O(1)",
    arity: -3,
    syntax: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    types: { "client-id": "integer", prefix: "string" },
    handler: tracking,
  },
  {
    ...COMMON,
    name: "trackinginfo",
    summary: "Describes the client-side caching of the connection.",
    since: "6.2.0",
    arity: 2,
    syntax: "",
    handler: trackingInfo,
  },
];

function redirectOf({ tracker }: Session): number {
  return tracker?.mode === undefined ? -1 : tracker.redirect;
}

function caching(call: Call): void {
  const { tracker } = call.session, mode = tracker?.mode;
  if (tracker === undefined || mode === undefined) {
    fail(
      "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    );
  }
  if (call.is(2, "yes")) {
    if (!mode.optIn) fail("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  } else if (call.is(2, "no")) {
    if (!mode.optOut) fail("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  } else {
    fail(messages.syntax);
  }
  tracker.caching = true;
  call.reply.ok();
}

interface Options {
  readonly mode: TrackingMode;
  readonly redirect: number;
  readonly prefixes: readonly string[];
}

function tracking(call: Call): void {
  const { engine, reply, session } = call;
  const { mode, redirect, prefixes } = parseOptions(call);
  const service = engine.part(Tracking);
  if (call.is(2, "on")) {
    checkMode(mode, session.tracker?.mode, prefixes.length > 0);
    if (mode.broadcast) checkPrefixes(prefixes, [...session.tracker?.prefixes ?? []].sort());
    service.start(session, mode, redirect, prefixes);
  } else if (call.is(2, "off")) {
    service.stop(session);
  } else {
    fail(messages.syntax);
  }
  reply.ok();
}

function parseOptions(call: Call): Options {
  const { argc, engine } = call;
  let redirect = 0, broadcast = false, optIn = false, optOut = false, noLoop = false;
  const prefixes: string[] = [];
  for (let i = 3; i < argc; i++) {
    if (call.is(i, "redirect") && i + 1 < argc) {
      if (redirect !== 0) fail("ERR A client can only redirect to a single other client");
      redirect = call.integer(++i);
      if (!engine.sessions.has(redirect)) fail("ERR The client ID you want redirect to does not exist");
    } else if (call.is(i, "prefix") && i + 1 < argc) {
      prefixes.push(call.text(++i));
    } else if (call.is(i, "bcast")) {
      broadcast = true;
    } else if (call.is(i, "optin")) {
      optIn = true;
    } else if (call.is(i, "optout")) {
      optOut = true;
    } else if (call.is(i, "noloop")) {
      noLoop = true;
    } else {
      fail(messages.syntax);
    }
  }
  return { mode: { broadcast, optIn, optOut, noLoop }, redirect, prefixes };
}

/** Throws if options contradict each other or the mode that is on. */
function checkMode(mode: TrackingMode, old: TrackingMode | undefined, hasPrefixes: boolean): void {
  const { broadcast, optIn, optOut } = mode;
  const switching = (what: string) =>
    fail(
      `ERR You can't switch ${what} before disabling tracking for this client, and then re-enabling it with a ` +
        "different mode.",
    );
  if (!broadcast && hasPrefixes) fail("ERR PREFIX option requires BCAST mode to be enabled");
  if (old !== undefined && old.broadcast !== broadcast) switching("BCAST mode on/off");
  if (broadcast && (optIn || optOut)) fail("ERR OPTIN and OPTOUT are not compatible with BCAST");
  if (optIn && optOut) fail("ERR You can't specify both OPTIN mode and OPTOUT mode");
  if (old !== undefined && ((optIn && old.optOut) || (optOut && old.optIn))) switching("OPTIN/OPTOUT mode");
}

/** Throws if one prefix begins with another, so that a change would be told twice. */
function checkPrefixes(prefixes: readonly string[], old: readonly string[]): void {
  const overlaps = (prefix: string, others: readonly string[]) =>
    others.find((other) => other.startsWith(prefix) || prefix.startsWith(other));
  for (const [i, prefix] of prefixes.entries()) {
    const existing = overlaps(prefix, old), given = overlaps(prefix, prefixes.slice(i + 1));
    if (existing === undefined && given === undefined) continue;
    const [kind, other] = existing === undefined ? ["another provided", given!] : ["an existing", existing];
    fail(
      `ERR Prefix '${shownText(prefix)}' overlaps with ${kind} prefix '${shownText(other)}'. Prefixes for a single ` +
        "client must not overlap.",
    );
  }
}

function trackingInfo({ reply, session }: Call): void {
  const { tracker } = session, mode = tracker?.mode;
  const flags = [mode === undefined ? "off" : "on"];
  if (mode?.broadcast) flags.push("bcast");
  if (mode?.optIn) flags.push("optin", ...tracker!.caching ? ["caching-yes"] : []);
  if (mode?.optOut) flags.push("optout", ...tracker!.caching ? ["caching-no"] : []);
  if (mode?.noLoop) flags.push("noloop");
  if (tracker?.redirectBroken) flags.push("broken_redirect");
  const prefixes = [...tracker?.prefixes ?? []].sort();
  reply.map(3);
  reply.bulkText("flags");
  reply.set(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.bulkText("redirect");
  reply.integer(redirectOf(session));
  reply.bulkText("prefixes");
  reply.array(prefixes.length);
  for (const prefix of prefixes) reply.bulk(fromLatin1(prefix));
}
