/**
 * Cycles of a server that dies: it is started as a process, driven by clients that note every acknowledged write, killed
 * with SIGKILL at a random moment (under load, during a rewrite, while it starts), started again, and asked for what it
 * acknowledged. Half of a transaction, or of a command with several keys, must never be there.
 */
import { decode } from "../helpers/decode.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { type Argument, encodeRequest, TestClient } from "../helpers/client.ts";

const CLIENTS = 4;
const START_TRIES = 600;
const FILLERS = 3000;

export interface CrashOptions {
  cycles: number;
  seed: number;
  /** Ports from here on are used. */
  port: number;
  /** Called after every cycle. */
  progress?: (cycle: number, text: string) => void;
}

/** What one client has sent: unit numbers, in order. Units up to `acknowledged` were; those up to `sent` may be there. */
interface Writer {
  readonly id: number;
  acknowledged: number;
  sent: number;
}

class Process {
  readonly #child: Deno.ChildProcess;
  readonly port: number;
  readonly output: Promise<string>;

  constructor(file: string, port: number, policy: string) {
    this.port = port;
    const main = new URL("../../main.ts", import.meta.url).pathname;
    const config = new URL("../../deno.json", import.meta.url).pathname;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-q", "--no-check", "-P=serve", "--config", config, main, "serve"],
        ...["--port", `${port}`, "--aofpath", file, "--appendfsync", policy, "--auto-aof-rewrite-min-size", "65536"],
        ...["--auto-aof-rewrite-percentage", "50"],
      ],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.output = new Response(this.#child.stderr).text();
  }

  /** A client, as soon as one is let in. Undefined if the process ends first. */
  async connect(): Promise<TestClient | undefined> {
    let ended = false;
    void this.#child.status.then(() => ended = true);
    for (let tries = 0; tries < START_TRIES && !ended; tries++) {
      try {
        const client = await TestClient.connect(this.port);
        for (;;) {
          const reply = await client.command("PING");
          if (reply === "+PONG\r\n") return client;
          await pause(5);
        }
      } catch {
        await pause(10);
      }
    }
  }

  async kill(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It is gone already.
    }
    await this.#child.status;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One unit: the number goes to a list, two keys that must agree, and a set that must have as many members. */
function unit({ id }: Writer, n: number, random: SeededRandom): Argument[][] {
  const words = [
    ["RPUSH", `order:${id}`, n],
    ["MSET", `a:${id}`, n, `b:${id}`, n],
    ["SADD", `set:${id}`, `m${n}`],
    ["ZADD", `z:${id}`, n, `m${n}`],
    ["HSET", `h:${id}`, `f${n % 5}`, n, "last", n],
    ["SET", `filler:${random.below(FILLERS)}`, "x".repeat(random.below(200))],
  ];
  return words;
}

/** Writes units until the connection breaks: as transactions, or where there are none one command after the other. */
async function drive(writer: Writer, port: number, random: SeededRandom, whole: boolean): Promise<void> {
  let client: TestClient | undefined;
  try {
    client = await TestClient.connect(port);
    for (;;) {
      const n = writer.sent++;
      const words = unit(writer, n, random);
      const commands = whole ? [["MULTI"], ...words, ["EXEC"]] : words;
      for (const command of commands) await client.send(encodeRequest(command));
      let replies = "";
      for (let i = 0; i < commands.length; i++) replies += await client.receive();
      if (/(^|\r\n)-/.test(replies)) throw new Error(`unit ${n} of ${writer.id} failed: ${replies}`);
      writer.acknowledged = n + 1;
    }
  } catch (error) {
    if (error instanceof Error && /^unit /.test(error.message)) throw error;
  } finally {
    client?.close();
  }
}

/** Whether the server has transactions. */
async function hasTransactions(client: TestClient): Promise<boolean> {
  return await client.command("MULTI") === "+OK\r\n" && await client.command("DISCARD") === "+OK\r\n";
}

/** Checks what is there against what a writer knows, and corrects the writer to it. Throws what is wrong. */
async function check(client: TestClient, writer: Writer, whole: boolean): Promise<void> {
  const { id } = writer;
  const ask = async (...args: Argument[]) => decode(await client.command(...args));
  const order = await ask("LRANGE", `order:${id}`, 0, -1) as string[];
  const count = order.length;
  const wrong = (what: string) => {
    throw new Error(`client ${id}, ${writer.acknowledged} units acknowledged, ${writer.sent} sent: ${what}`);
  };
  order.forEach((n, i) => {
    if (n !== `${i}`) wrong(`unit ${n} stands in place ${i}`);
  });
  if (count < writer.acknowledged) wrong(`only ${count} are there`);
  if (count > writer.sent) wrong(`${count} are there`);
  if (!whole && count > 0) {
    // The end of the last unit may be missing, but no other, and no half of a command.
    const [a, b] = await ask("MGET", `a:${id}`, `b:${id}`) as (string | null)[];
    if (a !== b || Number(a ?? -1) < count - 2) wrong(`the two keys are ${a} and ${b}`);
    for (const words of unit(writer, count - 1, new SeededRandom(0)).slice(1)) await ask(...words);
  }
  const last = count === 0 ? null : `${count - 1}`;
  const values = await ask("MGET", `a:${id}`, `b:${id}`) as (string | null)[];
  if (values[0] !== last || values[1] !== last) wrong(`the two keys are ${values}, not ${last}`);
  if (await ask("SCARD", `set:${id}`) !== count) wrong("the set has another number of members");
  if (await ask("ZCARD", `z:${id}`) !== count) wrong("the sorted set has another number of members");
  if (await ask("HGET", `h:${id}`, "last") !== last) wrong("the hash has another last unit");
  writer.acknowledged = writer.sent = count;
}

/** Runs the cycles. Throws an error that names the seed and the cycle. */
export async function crash({ cycles, seed, port, progress }: CrashOptions): Promise<void> {
  const random = new SeededRandom(seed);
  const folder = await Deno.makeTempDir({ prefix: "memdb-crash-" });
  const file = `${folder}/a.aof`;
  const writers: Writer[] = Array.from({ length: CLIENTS }, (_, id) => ({ id, acknowledged: 0, sent: 0 }));
  let output: Promise<string> = Promise.resolve("");
  try {
    for (let cycle = 1; cycle <= cycles; cycle++) {
      const policy = ["always", "everysec", "no"][random.below(3)];
      const moment = ["load", "load", "rewrite", "start"][random.below(4)];
      try {
        if (moment === "start") {
          const early = new Process(file, port, policy);
          await pause(random.below(600));
          await early.kill();
        }
        const process = new Process(file, port, policy);
        output = process.output;
        try {
          const client = await process.connect();
          if (client === undefined) throw new Error("the server does not start");
          const whole = await hasTransactions(client);
          for (const writer of writers) await check(client, writer, whole);
          const seeds = writers.map(() => random.below(2 ** 31));
          const driving = writers.map((writer, i) => drive(writer, port, new SeededRandom(seeds[i]), whole));
          if (moment === "rewrite") {
            await pause(random.below(200));
            await client.command("BGREWRITEAOF");
            await pause(random.below(60));
          } else {
            await pause(random.below(500));
          }
          await process.kill();
          client.close();
          await Promise.all(driving);
        } finally {
          await process.kill();
        }
        const units = writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
        progress?.(cycle, `${policy}, killed during ${moment}, ${units} units so far`);
      } catch (error) {
        const said = (await Promise.race([output, pause(2000)])) ?? "";
        throw new Error(
          `seed ${seed}, cycle ${cycle} (${policy}, ${moment}): ${
            (error as Error).message
          }\nThe file is ${file}\n${said}`,
        );
      }
    }
    const process = new Process(file, port, "everysec");
    try {
      const client = await process.connect();
      if (client === undefined) throw new Error(`seed ${seed}: the server does not start at the end`);
      const whole = await hasTransactions(client);
      for (const writer of writers) await check(client, writer, whole);
      client.close();
    } finally {
      await process.kill();
    }
    await Deno.remove(folder, { recursive: true });
  } finally {
    await output;
  }
}
