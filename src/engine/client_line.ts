/**
 * The text form of a session: the line of CLIENT LIST and INFO with Redis's fields, the characters allowed in a name,
 * and the kinds of clients. It changes nothing.
 */
import { sessionBytes } from "./client_memory.ts";
import type { Engine } from "./engine.ts";
import type { ClientKind, Session } from "./session.ts";
import type { Watches } from "./watches.ts";

export const CLIENT_NAME_ERROR = "ERR Client names cannot contain spaces, newlines or special characters.";

/** Whether text (latin1) has no blanks and no special characters, so that it is safe in the line. */
export function isPrintableName(name: string): boolean {
  return /^[!-~]*$/.test(name);
}

/** The kind of client that a filter names, in any case. */
export function clientKind(name: string): ClientKind | undefined {
  const word = name.toLowerCase();
  if (word === "slave") return "replica";
  if (word === "primary") return "master";
  return word === "normal" || word === "pubsub" || word === "replica" || word === "master" ? word : undefined;
}

/** The seconds since a time as Redis counts them: both times are whole seconds. */
export function secondsSince(ms: number, nowMs: number): number {
  return Math.max(0, Math.floor(nowMs / 1000) - Math.floor(ms / 1000));
}

/** The flags of a client, one letter each; N if there is none. */
export function clientFlags(session: Session, watches: Watches): string {
  let flags = "";
  if (session.monitoring) flags += "O";
  if (session.kind === "replica") flags += "S";
  if (session.kind === "master") flags += "M";
  if (session.kind === "pubsub") flags += "P";
  if (session.transaction !== undefined) flags += "x";
  if (session.suspension !== undefined) flags += "b";
  if (session.tracker?.mode !== undefined) flags += "t";
  if (session.tracker?.redirectBroken) flags += "R";
  if (session.tracker?.mode?.broadcast) flags += "B";
  if (watches.isBroken(session)) flags += "d";
  if (session.closing) flags += "c";
  if (session.transport?.unix) flags += "U";
  if (session.noEvict) flags += "e";
  if (session.noTouch) flags += "T";
  if (session.importSource) flags += "I";
  return flags === "" ? "N" : flags;
}

/**
 * One line of CLIENT LIST, without its end. Deno does not expose a socket's file descriptor, so fd is -1. `argvBytes`
 * is the size of the request that the session is running.
 */
export function clientLine(session: Session, engine: Engine, argvBytes: number): string {
  const { watches, identity: { personality } } = engine, { nowMs } = engine.store;
  const ofValkey = personality === "valkey";
  const { reply, subscriber, transport } = session;
  const query = transport?.queryBytes() ?? 0, room = transport?.queryRoomBytes() ?? 0;
  const chunkBytes = reply.length;
  const listBytes = Math.max(0, (transport?.outputBytes() ?? chunkBytes) - chunkBytes);
  const fields: Record<string, string | number> = {
    id: session.id,
    addr: transport?.remote ?? "",
    laddr: transport?.local ?? "",
    fd: -1,
    name: session.name,
    age: secondsSince(session.createdMs, nowMs),
    idle: secondsSince(session.lastActiveMs, nowMs),
    flags: clientFlags(session, watches),
    ...ofValkey ? { capa: session.capabilities } : {},
    db: session.db,
    sub: subscriber?.count("channel") ?? 0,
    psub: subscriber?.count("pattern") ?? 0,
    ssub: subscriber?.count("shard") ?? 0,
    multi: session.transaction?.requests.length ?? -1,
    watch: watches.countOf(session),
    qbuf: query,
    "qbuf-free": Math.max(0, room - query),
    "argv-mem": argvBytes,
    "multi-mem": session.transaction?.bytes ?? 0,
    rbs: reply.chunk.length,
    rbp: reply.chunk.length,
    obl: chunkBytes,
    oll: Math.ceil(listBytes / 16384),
    omem: listBytes,
    // The client that runs this command also counts the query buffer that all connections share.
    "tot-mem": sessionBytes(session, watches) + (room - (transport?.queryOwnBytes() ?? 0)),
    events: listBytes > 0 ? "rw" : "r",
    cmd: session.lastCommand?.fullName ?? "NULL",
    user: session.user.name,
    redir: session.tracker?.mode === undefined ? -1 : session.tracker.redirect,
    resp: reply.version,
    "lib-name": session.libName,
    "lib-ver": session.libVersion,
    ...ofValkey ? {} : { "io-thread": 0 },
    "tot-net-in": session.bytesIn,
    "tot-net-out": session.bytesOut,
    "tot-cmds": session.commandCount,
  };
  return Object.entries(fields).map(([name, value]) => `${name}=${value}`).join(" ");
}
