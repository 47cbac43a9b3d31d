import { assert, assertEquals } from "@std/assert";
import { AofError } from "../../src/aof/replay.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { oneIn, pick, property } from "../helpers/property.ts";
import { type DiskFaults, SimulatedDisk } from "../helpers/simulated_disk.ts";
import { Node, SteppingClock } from "./node.ts";

const KEYS = 7;
/** The longest time between two ticks, in ms. */
const TICK_MS = 120;

/**
 * A possible state of the disk at the moment of the failure, and the units at that moment that must be there later:
 * those that were acknowledged, as far as the policy promises, and those that WAITAOF called safe.
 */
interface Stop {
  readonly disk: SimulatedDisk;
  readonly power: boolean;
  readonly promised: number;
}

const STOPS_MAX = 6;
/** The replies of WAITAOF. */
const SAFE = "*2\r\n:1\r\n:0\r\n", NOT_SAFE = "*2\r\n:0\r\n:0\r\n";

/** Unit number n: a transaction, so that a partial unit is detected. */
function write(node: Node, n: number): void {
  node.unit(() => {
    node.run("RPUSH", "order", n);
    node.run("MSET", `a${n % KEYS}`, n, `b${n % KEYS}`, n);
    node.run("HSET", "hash", `f${n % KEYS}`, "x".repeat(n % 300));
    if (n === 0) node.run("XGROUP", "CREATE", "stream", "group", 0, "MKSTREAM");
    node.run("XADD", "stream", `${n + 1}-0`, "n", n);
    node.run("XREADGROUP", "GROUP", "group", `c${n % 2}`, "COUNT", 1, "STREAMS", "stream", ">");
    if (n % 3 === 0) node.run("XACK", "stream", "group", `${n + 1}-0`);
  });
}

/**
 * Checks that a store contains exactly the results of the first units of a history, all complete. Returns their
 * number.
 */
function unitsIn(node: Node, seeded: boolean): number {
  const count = Number(node.run("LLEN", "order").slice(1));
  const order = node.run("LRANGE", "order", 0, -1).split("\r\n").filter((_, i) => i > 0 && i % 2 === 0);
  assertEquals(order, Array.from({ length: count }, (_, i) => `${i}`), "the order of units");
  for (let key = 0; key < KEYS; key++) {
    let last = -1;
    for (let n = key; n < count; n += KEYS) last = n;
    const expected = last < 0 ? "$-1\r\n" : `$${String(last).length}\r\n${last}\r\n`;
    assertEquals(node.run("GET", `a${key}`), expected, `a${key} after ${count} units`);
    assertEquals(node.run("GET", `b${key}`), expected, `b${key} after ${count} units`);
    const length = last < 0 ? 0 : last % 300;
    assertEquals(node.run("HSTRLEN", "hash", `f${key}`), `:${length}\r\n`, `the field of a${key} after ${count} units`);
  }
  const ids = Array.from({ length: count }, (_, n) => `${n + 1}-0`);
  const idsIn = (reply: string) => reply.split("\r\n").filter((line) => line.endsWith("-0"));
  assertEquals(idsIn(node.run("XRANGE", "stream", "-", "+")), ids, `the stream after ${count} units`);
  const pending = count === 0 ? "" : node.run("XPENDING", "stream", "group", "-", "+", count);
  assertEquals(idsIn(pending), ids.filter((_, n) => n % 3 !== 0), `what is pending after ${count} units`);
  if (seeded && count > 0) assertEquals(node.run("EXISTS", "seed:0", "seed:499"), ":2\r\n", "what was there before");
  return count;
}

/** Runs one history until the power fails, and checks the data after the restart. */
async function history(random: SeededRandom, faults: DiskFaults): Promise<void> {
  const policy = pick(random, ["always", "always", "everysec", "no"]);
  const options = { appendfsync: policy, "auto-aof-rewrite-min-size": "4096" };
  const disk = new SimulatedDisk(random, faults);
  const clock = new SteppingClock(20);
  disk.nowMs = () => clock.ms;
  const node = await Node.start(disk, options, clock);
  // Enough keys that a rewrite takes several slices.
  assert(
    await node.inTurn(() => {
      for (let i = 0; i < 500; i++) node.run("SET", `seed:${i}`, i);
    }),
  );
  let written = 0, safe = 0;
  const askWhatIsSafe = () => {
    const reply = node.run("WAITAOF", 1, 0, 0);
    if (reply === SAFE) safe = written;
    else assertEquals(reply, NOT_SAFE);
  };
  clock.advance(1001);
  node.manager.tick();
  const acknowledgedMs: number[] = [];
  const stops: Stop[] = [];
  const stop = (power: boolean) => {
    // The second of `everysec`, the tick that notices its end, and the sync that follows.
    const safeMs = clock.ms - 1000 - TICK_MS - disk.longestSyncMs;
    const promised = !power || policy === "always"
      ? acknowledgedMs.length
      : policy === "everysec"
      ? acknowledgedMs.findLastIndex((ms) => ms < safeMs) + 1
      : 0;
    const kept = { power, promised: Math.max(promised, safe) };
    stops.push({ disk: power ? disk.afterPowerFailure() : disk.afterCrash(), ...kept });
  };
  disk.moment = (rare) => {
    if (rare) askWhatIsSafe();
    if (stops.length < STOPS_MAX && oneIn(random, rare ? 3 : 60)) stop(oneIn(random, 6) === false);
  };
  const turns = 5 + random.below(60);
  for (let turn = 0; turn < turns; turn++) {
    const acknowledged = await node.inTurn(() => {
      for (let left = 1 + random.below(4); left > 0; left--) write(node, written++);
    });
    assert(acknowledged, "a healthy disk is enough");
    askWhatIsSafe();
    while (acknowledgedMs.length < written) acknowledgedMs.push(clock.ms);
    if (oneIn(random, 12) && !node.engine.persistence.rewriting) node.engine.rewriteAof!();
    if (oneIn(random, 2)) await new Promise((resolve) => setTimeout(resolve));
    askWhatIsSafe();
    clock.advance(random.below(TICK_MS));
    node.manager.tick();
    askWhatIsSafe();
  }
  disk.moment = () => {};
  stop(true);
  stop(false);
  for (const { disk, power, promised } of stops) {
    let next: Node;
    try {
      next = await Node.start(disk, options, clock);
    } catch (error) {
      // Without syncs, holes may be anywhere. The server can only report them.
      if (policy === "no" && power && error instanceof AofError) continue;
      throw error;
    }
    const kept = unitsIn(next, policy !== "no" || !power);
    assert(kept <= written, "something was never written");
    assert(kept >= promised, `${promised} units were promised under ${policy}, ${kept} are there (power ${power})`);
    // The server must be able to continue with the file, and to stop again.
    assert(await next.inTurn(() => write(next, kept)), "the file cannot be written");
    const again = await Node.start(disk.afterCrash(), options, clock);
    assertEquals(unitsIn(again, false), kept + 1);
    await next.manager.close();
    await again.manager.close();
  }
  await node.manager.close();
}

async function histories(count: number, random: SeededRandom, faults: DiskFaults): Promise<void> {
  // In parallel, because each mostly waits.
  await Promise.all(Array.from({ length: count }, () => history(new SeededRandom(random.below(2 ** 31)), faults)));
}

Deno.test("a power failure takes nothing that was promised, and leaves nothing half there", async () => {
  await property(5, (random) => histories(12, random, {}));
});

for (
  const [mistake, faults] of Object.entries<DiskFaults>({
    "a file that is renamed before it is synced": { syncsAfterRename: true },
    "a folder that is never synced": { ignoresFolders: true },
  })
) {
  Deno.test(`the simulated disk finds ${mistake}`, async () => {
    let found: unknown;
    for (let seed = 1; seed <= 40 && found === undefined; seed++) {
      await histories(8, new SeededRandom(seed), faults).catch((error) => found = error);
    }
    assert(found instanceof Error, "the mistake was not found");
  });
}
