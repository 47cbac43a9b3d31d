/**
 * Seeds: a file of commands or of JSON that fills an empty database at start. Loading is atomic: the seed first runs
 * on a separate engine, and is one unit in the append-only file. The first byte determines the format: `*` is RESP,
 * for example an append-only file; `{` is JSON (seed_json.ts); anything else is commands as typed in a terminal, one
 * per line, with comments that begin with `#`.
 */
import { latin1 } from "../core/bytes.ts";
import { Call } from "../dispatch/call.ts";
import { Executor } from "../dispatch/executor.ts";
import { commandTable } from "../commands/table.ts";
import type { CommandFlag } from "../dispatch/spec.ts";
import { Engine } from "../engine/engine.ts";
import { Session } from "../engine/session.ts";
import { Settings } from "../settings/settings.ts";
import { splitArguments } from "../resp/inline.ts";
import { Reply } from "../resp/reply.ts";
import { Request } from "../resp/request.ts";
import { AofReader, Damage, Item } from "../aof/reader.ts";
import { SeedError } from "./seed_error.ts";
import { commandsOfJson, type SeedCommand } from "./seed_json.ts";
import { createStore } from "../engine/create_store.ts";

const LF = 10, CR = 13, SPACE = 32, HASH = 35, STAR = 42, BRACKET = 91, BRACE = 123;
/**
 * Commands with one of these flags change the server itself or wait for other clients; a seed must not contain them.
 */
const FORBIDDEN: readonly CommandFlag[] = ["admin", "pubsub", "blocking"];

/** Fills the engine from a file. Returns the number of commands. Throws SeedError and leaves the engine unchanged. */
export function seed(engine: Engine, executor: Executor, path: string): number {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    throw new SeedError(`cannot read seed ${path}: ${(error as Error).message}`, 0);
  }
  return seedBytes(engine, executor, bytes, `seed ${path}`);
}

/** Like `seed`, from the bytes of a file; `source` names it in errors. */
export function seedBytes(engine: Engine, executor: Executor, bytes: Uint8Array, source: string): number {
  try {
    const commands = parse(bytes);
    tryOut(engine, commands);
    engine.effects.begin();
    try {
      run(engine, executor, commands);
    } finally {
      engine.effects.end();
    }
    return commands.length;
  } catch (error) {
    if (!(error instanceof SeedError)) throw error;
    throw new SeedError(`${source}${error.line > 0 ? `, line ${error.line}` : ""}: ${error.message}`, error.line);
  }
}

/** The engine and the executor for trial runs of each engine that has loaded a seed. */
const trials = new WeakMap<Engine, { readonly engine: Engine; readonly executor: Executor }>();

/** Runs the commands of a seed on an engine that is empty before and after. Throws SeedError. */
function tryOut(engine: Engine, commands: readonly SeedCommand[]): void {
  let trial = trials.get(engine);
  if (trial === undefined) {
    const other = createTrial(engine);
    trials.set(engine, trial = { engine: other, executor: new Executor(other, commandTable) });
  }
  try {
    run(trial.engine, trial.executor, commands);
  } finally {
    for (const db of trial.engine.store.databases) db.clear();
  }
}

function createTrial({ settings, clock, random }: Engine): Engine {
  const trial = new Settings();
  const { databases, protoMaxBulkLen, maxmemory } = settings.values;
  trial.init("databases", [String(databases)]);
  trial.init("proto-max-bulk-len", [String(protoMaxBulkLen)]);
  trial.init("maxmemory", [String(maxmemory)]);
  return new Engine(createStore(trial, random), trial, clock, random);
}

function run(engine: Engine, executor: Executor, commands: readonly SeedCommand[]): void {
  const session = new Session(0, new Reply(), engine.clock.nowMs());
  const call = new Call(engine, session, executor);
  const { reply } = call;
  executor.begin();
  for (const { line, args } of commands) {
    const request = Request.of(args);
    const name = latin1(args[0]);
    const flags = executor.table.find(args[0], 0, args[0].length)?.spec.flags ?? [];
    if (flags.some((flag) => FORBIDDEN.includes(flag))) throw new SeedError(`${name} is no command for a seed`, line);
    const { errors } = reply;
    executor.execute(call, request);
    if (reply.errors !== errors) throw new SeedError(`${name}: ${reply.lastError}`, line);
    reply.rewind(0);
  }
  executor.end();
}

function parse(file: Uint8Array): SeedCommand[] {
  const hasMark = file[0] === 0xef && file[1] === 0xbb && file[2] === 0xbf;
  const bytes = hasMark ? file.subarray(3) : file;
  switch (bytes.find((byte) => byte > SPACE)) {
    case STAR:
      return commandsOfResp(bytes);
    case BRACE:
    case BRACKET:
      return commandsOfJson(textOf(bytes));
    default:
      return commandsOfLines(bytes);
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new SeedError("the text is not UTF-8", 0);
  }
}

function commandsOfLines(bytes: Uint8Array): SeedCommand[] {
  const commands: SeedCommand[] = [];
  for (let at = 0, line = 1; at < bytes.length; line++) {
    const lf = bytes.indexOf(LF, at);
    const next = lf < 0 ? bytes.length : lf + 1;
    let end = lf < 0 ? bytes.length : lf;
    if (end > at && bytes[end - 1] === CR) end--;
    const args = splitArguments(bytes, at, end);
    if (args === undefined) throw new SeedError("the quotes do not balance", line);
    if (args.length > 0 && args[0][0] !== HASH) commands.push({ line, args });
    at = next;
  }
  return commands;
}

function commandsOfResp(bytes: Uint8Array): SeedCommand[] {
  const commands: SeedCommand[] = [];
  let line = 1, lineAt = 0;
  const lineOf = (offset: number) => {
    for (; lineAt < offset; lineAt++) if (bytes[lineAt] === LF) line++;
    return line;
  };
  let at = 0;
  const reader = new AofReader({
    readSync(into) {
      if (at >= bytes.length) return null;
      const count = Math.min(into.length, bytes.length - at);
      into.set(bytes.subarray(at, at += count));
      return count;
    },
  });
  try {
    while (reader.fill()) {
      for (let item = reader.next(); item !== Item.MORE; item = reader.next()) {
        if (item === Item.SEAL && !reader.sealFits) throw new Damage(reader.itemStart, "the checksum does not fit");
        if (item !== Item.COMMAND) continue;
        const { request } = reader;
        const args: Uint8Array[] = [];
        for (let i = 0; i < request.argc; i++) args.push(request.bytes.slice(request.start[i], request.end[i]));
        commands.push({ line: lineOf(reader.itemStart), args });
      }
    }
    if (reader.pending) throw new Damage(reader.position, "the file ends within a command");
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    throw new SeedError(`byte ${error.offset}: ${error.message}`, lineOf(error.offset));
  }
  return commands;
}
