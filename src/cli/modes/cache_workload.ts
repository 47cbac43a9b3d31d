/** `--lru-test`: a cache's workload, of which a fifth of the keys gets four fifths of the requests. */
import { askAll, type ModeContext, textOf } from "./context.ts";

const CYCLE_MS = 1000;
/** Requests in one write. */
const BATCH = 250;
/** With this exponent a power law gives 80 % of the requests to 20 % of the keys. */
const ALPHA = 6.2;

/** Writes and reads alternately and prints hits and misses every second, until interrupted; `-r` limits the lines. */
export async function lruTest({ connection, options, sink }: ModeContext): Promise<void> {
  const lines = options.repeat > 1 ? options.repeat : Infinity;
  for (let line = 0; line < lines; line++) {
    let [hits, misses] = [0, 0];
    for (const began = performance.now(); performance.now() - began < CYCLE_MS;) {
      await askAll(connection, batchOf(() => ["SET", testKey(options.testKeys), randomValue()]));
      for (const reply of await askAll(connection, batchOf(() => ["GET", testKey(options.testKeys)]))) {
        if (reply.type === "error") sink.error(textOf(reply) + "\n");
        else if (reply.type === "nil") misses++;
        else hits++;
      }
    }
    const gets = hits + misses;
    const share = (count: number) => `${count} (${(gets === 0 ? 0 : 100 * count / gets).toFixed(2)}%)`;
    sink.write(`${gets} Gets/sec | Hits: ${share(hits)} | Misses: ${share(misses)}\n`);
  }
}

function batchOf(request: () => string[]): string[][] {
  return Array.from({ length: BATCH }, request);
}

/** A key from `lru:1` to `lru:<keys>`, low numbers far more often. */
function testKey(keys: number): string {
  const [low, high] = [1, (keys + 1) ** (ALPHA + 1)];
  const drawn = Math.floor(((high - low) * Math.random() + low) ** (1 / (ALPHA + 1)));
  return `lru:${Math.max(1, keys - drawn + 1)}`;
}

function randomValue(): string {
  return Array.from({ length: 5 }, () => String.fromCharCode(65 + Math.floor(Math.random() * 57))).join("");
}
