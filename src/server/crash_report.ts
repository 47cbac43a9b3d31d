/**
 * The report of a fault of MemDB, for the log: version, running command, INFO, and the stack. It contains no arguments
 * of commands and no values of secret settings.
 */
import { MEMDB_VERSION, REDIS_VERSION } from "../core/version.ts";
import { Call } from "../dispatch/call.ts";
import { Session } from "../engine/session.ts";
import { infoText } from "../commands/server/info.ts";
import { CommandFault } from "../net/connection.ts";
import { Reply } from "../resp/reply.ts";
import type { Server } from "./server.ts";

/** The lines of the report. `server` is undefined before it has started. */
export function crashReport(error: unknown, server: Server | undefined): string[] {
  const fault = error instanceof CommandFault ? error : undefined;
  const cause = fault?.cause ?? error;
  const { os, arch } = Deno.build;
  return [
    "=== MEMDB BUG REPORT START: Cut & paste starting from here ===",
    `MemDB ${MEMDB_VERSION} (compatible with Redis ${REDIS_VERSION}) crashed by: ${
      cause instanceof Error ? `${cause.name}: ${cause.message}` : cause
    }`,
    `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}, ${os} ${arch}`,
    ...fault === undefined ? [] : commandLines(fault.session),
    "------ STACK TRACE ------",
    ...(cause instanceof Error ? cause.stack ?? "" : "none").split("\n").map((line) => line.trim()),
    "------ INFO OUTPUT ------",
    ...server === undefined ? ["The server has not started"] : stateLines(server),
    "=== MEMDB BUG REPORT END. Make sure to include from START to END. ===",
  ];
}

function commandLines(session: Session): string[] {
  const { id, db, lastCommand, commandCount, transaction, createdMs } = session;
  const unit = transaction === undefined ? "" : ", between MULTI and EXEC";
  return [
    "------ CURRENT CLIENT INFO ------",
    `Command: ${lastCommand?.fullName ?? "none"}${unit}; the arguments are left out`,
    `Client: id ${id}, database ${db}, ${commandCount} requests before, connected at ${
      new Date(createdMs).toISOString()
    }`,
  ];
}

/** INFO. The fault may have left a state in which it fails too. */
function stateLines({ engine, executor }: Server): string[] {
  try {
    const session = new Session(0, new Reply(), engine.clock.nowMs());
    return infoText(new Call(engine, session, executor)).trimEnd().split("\r\n");
  } catch (error) {
    return [`INFO failed: ${error instanceof Error ? error.message : error}`];
  }
}
