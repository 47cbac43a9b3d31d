/**
 * Cycles of a server that crashes. Each cycle starts the server as a process on the file of the previous cycle, checks
 * all acknowledged data, loads the server with several clients, and kills it with SIGKILL at a random moment: under
 * load, during a rewrite, or while it starts. writer.ts checks the keys of a single client; this file checks the keys
 * that all clients share. A seed repeats the commands and the plan, not the exact moment of the kill.
 */
import type { TestClient } from "../helpers/client.ts";
import { decode } from "../helpers/decode.ts";
import { pick } from "../helpers/property.ts";
import { commandLine, Folder, ServerProcess } from "../e2e/process.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { LIBRARY, SHARED_COUNT, SHARED_GROUP, SHARED_LISTS, SHARED_SETS, TOKENS, Violation, Writer } from "./writer.ts";

const CLIENTS = 4;
const HUNG_MS = 60_000;
const POLICIES = ["always", "everysec", "no"] as const;
const MOMENTS = ["load", "rewrite", "start"] as const;
const TOKEN_NAMES = Array.from({ length: TOKENS }, (_, i) => `token ${i}`).toSorted();

export interface CrashOptions {
  cycles: number;
  seed: number;
  /** Called after every cycle. */
  progress?: (line: string) => void;
}

/** Counts of the situations that the cycles met. */
export interface CrashCounts {
  /** Acknowledged operations. */
  acknowledged: number;
  /** Operations that were sent and not acknowledged, but survived. */
  unacknowledged: number;
  /** Kills that left an unfinished file of a rewrite. */
  amidRewrite: number;
  /** Kills before the server was ready. */
  amidStart: number;
  /** Starts that dropped an unfinished tail. */
  tails: number;
}

/**
 * Runs the cycles, and a last start. Throws an error that names the seed and the cycle; the file is then kept for
 * analysis. Without an error no file is left behind.
 */
export async function crash(options: CrashOptions): Promise<CrashCounts> {
  const harness = new Harness(options);
  try {
    await harness.run(options.cycles);
  } catch (error) {
    const copy = await Deno.makeTempDir({ prefix: "memdb-crash-" });
    for (const { name } of Deno.readDirSync(harness.folder.path)) {
      await Deno.copyFile(harness.folder.file(name), `${copy}/${name}`);
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `seed ${options.seed}, ${harness.place}: ${reason}\nThe file as it is now is in ${copy}\n` +
        `Again: deno task test:crash --cycles ${options.cycles} --seed ${options.seed}`,
      { cause: error },
    );
  } finally {
    await harness.folder[Symbol.asyncDispose]();
  }
  return harness.counts;
}

class Harness {
  readonly folder = new Folder();
  readonly counts: CrashCounts = { acknowledged: 0, unacknowledged: 0, amidRewrite: 0, amidStart: 0, tails: 0 };
  /** The current cycle and phase, for messages. */
  place = "";
  readonly #random: SeededRandom;
  readonly #writers = Array.from({ length: CLIENTS }, (_, id) => new Writer(id));
  readonly #progress: (line: string) => void;
  #killedAt = 0;
  /** Durations of the last start and the last rewrite: the moments of kills are spread over them. */
  #startMs = 500;
  #rewriteMs = 100;
  /** The shared keys after the last start of the server. */
  #group: string | null = null;
  #count = 0;

  constructor({ seed, progress }: CrashOptions) {
    this.#random = new SeededRandom(seed);
    this.#progress = progress ?? (() => {});
  }

  async run(cycles: number): Promise<void> {
    for (let cycle = 0; cycle <= cycles; cycle++) {
      const policy = pick(this.#random, POLICIES);
      const moment = pick(this.#random, MOMENTS);
      const begun = performance.now();
      this.place = `cycle ${cycle} of ${cycles} (appendfsync ${policy}, killed during ${moment})`;
      if (cycle > 0 && moment === "start") await this.#killWhileStarting(policy);
      const starting = performance.now();
      await using server = await ServerProcess.start(this.#flags(policy));
      this.#startMs = performance.now() - starting;
      if (/left out/.test(server.log)) this.counts.tails++;
      // A server that hangs must not hang the test: once it is killed, every wait for a reply ends.
      const hung = setTimeout(() => server.stop("SIGKILL").catch(() => {}), HUNG_MS);
      try {
        const client = await server.connect();
        if (cycle === 0) await this.#prepare(client);
        else await this.#check(client);
        if (cycle < cycles) await this.#driveAndKill(server, client, cycle > 0 && moment === "rewrite");
      } catch (error) {
        throw new Error(`${(error as Error).message}\nThe server said:\n${server.log}`, { cause: error });
      } finally {
        clearTimeout(hung);
      }
      const acknowledged = this.#writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
      this.counts.acknowledged += acknowledged;
      this.#progress(`${this.place}: ${acknowledged} operations, ${Math.round(performance.now() - begun)} ms`);
    }
  }

  #flags(policy: string): string[] {
    return [
      ...["--aofpath", this.folder.file("db.aof"), "--appendfsync", policy],
      ...["--auto-aof-rewrite-min-size", "4mb", "--auto-aof-rewrite-percentage", "100"],
    ];
  }

  async #killWhileStarting(policy: string): Promise<void> {
    const [program, ...first] = commandLine();
    const child = new Deno.Command(program, {
      args: [...first, "serve", ...this.#flags(policy), "--port", "0"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await pause(this.#random.below(Math.ceil(this.#startMs)));
    try {
      child.kill("SIGKILL");
    } catch {
      // The server has ended by itself: the next start will report the reason.
    }
    await child.status;
    this.counts.amidStart++;
  }

  /** Fills a new server, and rewrites its file. */
  async #prepare(client: TestClient): Promise<void> {
    const transactions = await client.command("MULTI") === "+OK\r\n";
    if (transactions) await client.command("DISCARD");
    for (const writer of this.#writers) {
      writer.transactions = transactions;
      await writer.fill(client, this.#random);
    }
    await client.command("FUNCTION", "LOAD", LIBRARY);
    await client.command("RPUSH", SHARED_LISTS[0], ...TOKEN_NAMES);
    await client.command("SADD", SHARED_SETS[0], ...TOKEN_NAMES);
    await client.command("BGREWRITEAOF");
    await this.#rewritten(client);
  }

  /** Waits until no rewrite runs, and remembers the duration. */
  async #rewritten(client: TestClient): Promise<void> {
    const begun = performance.now();
    while (/aof_rewrite_in_progress:1/.test(await client.command("INFO", "persistence"))) await pause(2);
    this.#rewriteMs = performance.now() - begun;
  }

  async #driveAndKill(server: ServerProcess, client: TestClient, rewriting: boolean): Promise<void> {
    const driven = await Promise.all(this.#writers.map(async (writer) => {
      const connection = await server.connect();
      return { writer, connection, random: new SeededRandom(this.#random.below(2 ** 31)) };
    }));
    let violated: unknown;
    const driving = driven.map(({ writer, connection, random }) =>
      writer.drive(connection, random).catch((error) => violated = error)
    );
    await pause(this.#random.below(rewriting ? 100 : 500));
    if (rewriting) {
      const reply = await client.command("BGREWRITEAOF");
      if (!/rewriting started|already in progress/.test(reply)) violated = new Violation(`BGREWRITEAOF: ${reply}`);
      // In the middle of the rewrite, or right after the new file has taken the name that the next start reads.
      if (this.#random.below(2) === 0) await pause(this.#random.below(Math.ceil(this.#rewriteMs)));
      else {
        await this.#rewritten(client);
        await pause(this.#random.below(20));
      }
    }
    await server.stop("SIGKILL");
    this.#killedAt = Date.now();
    await Promise.all(driving);
    if (violated !== undefined) throw violated;
    if ([...Deno.readDirSync(this.folder.path)].some(({ name }) => name.endsWith(".rewriting"))) {
      this.counts.amidRewrite++;
    }
  }

  /** Compares the server's data with the knowledge of all clients, and makes it the new base. Throws Violation. */
  async #check(client: TestClient): Promise<void> {
    let least = this.#count, most = this.#count;
    const last = new Set<string>();
    let unset = true;
    for (const writer of this.#writers) {
      const fitting = await writer.explain(client, this.#killedAt);
      const { sent, acknowledged } = writer;
      this.counts.unacknowledged += fitting[0] - acknowledged;
      const values = fitting.map((count) => lastOfGroup(writer, count));
      for (const value of values) if (value !== undefined) last.add(value);
      unset &&= values.includes(undefined);
      const counted = (count: number) =>
        sent.slice(0, count).flatMap(({ commands }) => commands).filter(([, key]) => key === SHARED_COUNT).length;
      least += counted(fitting[0]);
      most += counted(fitting.at(-1)!);
      writer.forget();
    }
    const ask = async (...args: string[]) => decode(await client.command(...args));
    const count = Number(await ask("GET", SHARED_COUNT));
    if (count < least || count > most) throw new Violation(`${SHARED_COUNT} is ${count}, not ${least} to ${most}`);
    const group = await ask("MGET", ...SHARED_GROUP) as (string | null)[];
    if (new Set(group).size > 1) throw new Violation(`half of an MSET is there: ${JSON.stringify(group)}`);
    const [value] = group;
    if (value === this.#group ? !unset && !last.has(value ?? "") : !last.has(value ?? "")) {
      throw new Violation(`the shared group is ${value}, which is no client's last: ${[...last].join(", ")}`);
    }
    for (const [reading, keys] of [[["LRANGE", "0", "-1"], SHARED_LISTS], [["SMEMBERS"], SHARED_SETS]] as const) {
      const [name, ...rest] = reading;
      const tokens: string[] = [];
      for (const key of keys) tokens.push(...await ask(name, key, ...rest) as string[]);
      if (tokens.toSorted().join() !== TOKEN_NAMES.join()) {
        throw new Violation(`half of a move is there: ${keys.join(" and ")} have ${tokens.join(", ")}`);
      }
    }
    this.#group = value;
    this.#count = count;
  }
}

/**
 * The last value that a client's first `count` operations gave the shared group; undefined if they did not change it.
 */
function lastOfGroup({ sent }: Writer, count: number): string | undefined {
  return sent.slice(0, count).flatMap(({ commands }) => commands).findLast(([, key]) => key === SHARED_GROUP[0])?.[2];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
