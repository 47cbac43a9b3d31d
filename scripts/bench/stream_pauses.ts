/**
 * Streams: how long one command on a long stream takes, and how long another client waits until all is freed. One group
 * has all entries pending, half of them with each of two consumers.
 */
import { type Bench, counted } from "./bench.ts";
import { BenchClient } from "./client.ts";
import { request, withClients } from "./conversations.ts";
import { whileProbing } from "./load.ts";
import type { Running } from "./servers.ts";

/** So many times `--elements` entries. */
const LARGER = 10;
const KEY = "stream", GROUP = "group";
const ADDED_AT_ONCE = 1000, READ_AT_ONCE = 1000, NAMED_AT_ONCE = 10_000;
const FIRST_MS = 1_000_000_000_000;
const POLL_MS = 50;

const idOf = (n: number) => `${FIRST_MS + n}-0`;

/** The commands in the order in which they run, on a stream of so many entries. */
function commandsFor(count: number): readonly [name: string, words: readonly string[]][] {
  const named = (first: number) => Array.from({ length: NAMED_AT_ONCE }, (_, i) => idOf(first + i));
  return [
    [`XACK of ${counted(NAMED_AT_ONCE)}`, ["XACK", KEY, GROUP, ...named(count / 4)]],
    [`XDEL of ${counted(NAMED_AT_ONCE)}`, ["XDEL", KEY, ...named(count / 4)]],
    ["XPENDING, none idle for so long", ["XPENDING", KEY, GROUP, "IDLE", "3600000", "-", "+", "1"]],
    ["XGROUP DELCONSUMER, half", ["XGROUP", "DELCONSUMER", KEY, GROUP, "consumer0"]],
    ["XGROUP DELCONSUMER, the rest", ["XGROUP", "DELCONSUMER", KEY, GROUP, "consumer1"]],
    ["XTRIM MAXLEN to half", ["XTRIM", KEY, "MAXLEN", String(count / 2)]],
    ["XTRIM MINID to a quarter", ["XTRIM", KEY, "MINID", idOf(count * 3 / 4)]],
    ["XGROUP DESTROY", ["XGROUP", "DESTROY", KEY, "other"]],
    ["DEL", ["DEL", KEY]],
  ];
}

/** A stream of so many entries, all pending in `group` with two consumers in turns, and a quarter in `other`. */
async function prepare(server: Running, count: number): Promise<void> {
  await withClients(server, 1, async ([client]) => {
    await client.write(
      request("XGROUP", "CREATE", KEY, GROUP, 0, "MKSTREAM") +
        request("XGROUP", "CREATE", KEY, "other", idOf(count * 3 / 4)),
    );
    await client.read("+OK\r\n+OK\r\n".length);
    const added = request(idOf(0)).slice("*1\r\n".length).length;
    for (let n = 0; n < count; n += ADDED_AT_ONCE) {
      const adds = Array.from({ length: ADDED_AT_ONCE }, (_, i) => request("XADD", KEY, idOf(n + i), "field", "value"));
      await client.write(adds.join(""));
      await client.read(added * ADDED_AT_ONCE);
    }
  });
  using client = await BenchClient.connect(server.port);
  for (let n = 0; n < count; n += READ_AT_ONCE) await readAs(client, GROUP, `consumer${n / READ_AT_ONCE % 2}`);
  for (let n = count * 3 / 4; n < count; n += READ_AT_ONCE) await readAs(client, "other", "consumer");
}

/** Makes entries pending; a script keeps the reply away. */
async function readAs(client: BenchClient, group: string, consumer: string): Promise<void> {
  await client.command(
    ...[
      "EVAL",
      "redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>') return 1",
    ],
    ...["1", KEY, group, consumer, String(READ_AT_ONCE)],
  );
}

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function isFreeing(client: BenchClient): Promise<boolean> {
  return !/lazyfree_pending_objects:0/.test(await client.text("INFO", "memory"));
}

export async function streamPauses(bench: Bench): Promise<void> {
  const { elements } = bench.options;
  const count = Math.ceil(LARGER * elements / 4 / READ_AT_ONCE) * 4 * READ_AT_ONCE;
  const title = `A stream of ${counted(count)} entries, all pending: the command / the longest wait of another, in ms`;
  bench.head(title, "command", ...bench.options.kinds.map(({ name }) => name));
  const commands = commandsFor(count);
  const columns = await bench.each(async (server) => {
    await prepare(server, count);
    using client = await BenchClient.connect(server.port);
    const cells: string[] = [];
    for (const [, words] of commands) {
      let ownMs = 0;
      const { maxMs } = await whileProbing(server.port, async () => {
        await delay(POLL_MS);
        ownMs = await client.timeMs(...words);
        do await delay(POLL_MS); while (await isFreeing(client));
      });
      cells.push(`${ownMs.toFixed(1)} / ${maxMs.toFixed(1)}`);
    }
    return cells;
  });
  for (const [i, [name]] of commands.entries()) bench.row(name, ...columns.map((cells) => cells[i]));
}
