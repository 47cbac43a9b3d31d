/**
 * The client's tasks besides running commands: listing keys, finding large or hot ones, watching figures, measuring
 * latency, bulk loading. This file holds the parts that they share.
 */
import { encodeRequest, type Reply } from "../../resp/decoder.ts";
import { fromBytes, toBytes } from "../binary.ts";
import type { Connection } from "../connection.ts";
import type { OutputMode } from "../format.ts";
import type { Options } from "../options.ts";
import type { Sink } from "../session.ts";

/** The settings of every mode. */
export interface ModeSettings {
  readonly options: Options;
  readonly output: OutputMode;
  readonly sink: Sink;
  /** The output is a terminal: figures may be redrawn until they are interrupted. */
  readonly live: boolean;
}

/** A mode that talks to a server. `connection` is logged in, in the chosen database, and speaks RESP2. */
export interface ModeContext extends ModeSettings {
  readonly connection: Connection;
}

/** The server refused a command that the mode needs; `message` is a line for the user. */
export class ModeError extends Error {
  override name = "ModeError";
}

export async function ask(connection: Connection, args: readonly string[]): Promise<Reply> {
  await connection.send(args);
  const reply = await connection.read();
  if (reply.type === "error") throw new ModeError(`${args[0]} failed: ${fromBytes(reply.bytes)}`);
  return reply;
}

/** Several requests in one write; errors are replies like others. */
export async function askAll(connection: Connection, requests: readonly (readonly string[])[]): Promise<Reply[]> {
  const parts = requests.map((args) => encodeRequest(args.map(toBytes)));
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  const sent = connection.write(bytes);
  const replies: Reply[] = [];
  while (replies.length < requests.length) replies.push(await connection.read());
  await sent;
  return replies;
}

export function textOf(reply: Reply): string {
  return "bytes" in reply ? fromBytes(reply.bytes) : "";
}

export function integerOf(reply: Reply): number {
  return reply.type === "integer" ? Number(reply.value) : 0;
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
