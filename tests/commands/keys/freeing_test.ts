/** Every command that removes a large collection leaves its memory to the slices between turns. */
import { assert, assertEquals } from "@std/assert";
import { Call } from "../../../src/dispatch/call.ts";
import { Executor } from "../../../src/dispatch/executor.ts";
import { commandTable } from "../../../src/commands/table.ts";
import { fromLatin1 } from "../../../src/core/bytes.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import { Session } from "../../../src/engine/session.ts";
import { Reply } from "../../../src/resp/reply.ts";
import { Request } from "../../../src/resp/request.ts";
import { createEngine } from "../../helpers/engine.ts";

const ELEMENTS = 24_000, ADDED_AT_ONCE = 1000;
/**
 * Maximum number of blocks that may be freed at once: 512 of a value's, and the records of a segment of its
 * dictionary.
 */
const AT_ONCE_MAX = 1500;
const VALUE = "v".repeat(300);

/** The command that adds elements, and the words of the i-th element. The list has many nodes. */
const ADD: Readonly<Record<string, (i: number) => [command: string, ...words: string[]]>> = {
  hash: (i) => ["HSET", `field:${i}`, "v"],
  set: (i) => ["SADD", `member:${i}`],
  integers: (i) => ["SADD", String(i * 1000)],
  "sorted set": (i) => ["ZADD", String(i % 77), `member:${i}`],
  list: () => ["RPUSH", VALUE],
};
const EVERY = Object.keys(ADD), SETS = ["set", "integers"];

/** Commands that remove the key `key`; `other` is a string and `none` is missing. */
const WAYS: readonly (readonly [command: string, types: readonly string[]])[] = [
  ["DEL key", EVERY],
  ["UNLINK key", EVERY],
  ["SET key v", EVERY],
  ["RENAME other key", EVERY],
  ["COPY other key REPLACE", EVERY],
  ["PEXPIREAT key 1", EVERY],
  ["FLUSHALL", EVERY],
  ["SINTERSTORE key none", EVERY],
  ["ZUNIONSTORE key 1 none", EVERY],
  ["SORT none STORE key", EVERY],
  ["SDIFFSTORE key none", SETS],
  [`SPOP key ${ELEMENTS}`, SETS],
  ["ZREMRANGEBYRANK key 0 -1", ["sorted set"]],
  ["ZREMRANGEBYSCORE key -inf +inf", ["sorted set"]],
  ["ZREMRANGEBYLEX key - +", ["sorted set"]],
  [`ZPOPMIN key ${ELEMENTS}`, ["sorted set"]],
  [`ZMPOP 1 key MAX COUNT ${ELEMENTS}`, ["sorted set"]],
  ["ZRANGESTORE key none 0 -1", ["sorted set"]],
  ["LTRIM key 1 0", ["list"]],
  [`LPOP key ${ELEMENTS}`, ["list"]],
  [`LMPOP 1 key RIGHT COUNT ${ELEMENTS}`, ["list"]],
];

for (const [command, types] of WAYS) {
  Deno.test(`${command.replace(/\d{3,}/, "of all")} frees large collections in slices: ${types.join(", ")}`, () => {
    const engine = createEngine(new ManualClock(Date.UTC(2026, 0, 1)));
    const executor = new Executor(engine, commandTable);
    const { store } = engine;
    const call = new Call(engine, new Session(1, new Reply(), 0), executor);
    const run = (words: readonly string[]) => {
      executor.execute(call, Request.of(words.map(fromLatin1)));
      assertEquals(call.reply.errors, 0, call.reply.lastError);
      call.reply.take();
    };
    executor.readClock();
    for (const type of types) {
      run(["SET", "other", "v"]);
      for (let i = 0; i < ELEMENTS; i += ADDED_AT_ONCE) {
        const added = Array.from({ length: ADDED_AT_ONCE }, (_, k) => ADD[type](i + k).slice(1));
        run([ADD[type](i)[0], "key", ...added.flat()]);
      }
      const before = store.arena.blockCount;
      run(command.split(" "));
      assert(before - store.arena.blockCount < AT_ONCE_MAX, `${before - store.arena.blockCount} blocks of a ${type}`);
      assert(store.garbageCount > 0, `nothing is left of a ${type}`);
      while (store.garbagePending) store.reclaim(1000);
      run(["FLUSHALL"]);
    }
    store.check();
  });
}

Deno.test("FLUSHALL frees the index of keys with a deadline in slices", () => {
  const engine = createEngine(new ManualClock(Date.UTC(2026, 0, 1)));
  const executor = new Executor(engine, commandTable);
  const call = new Call(engine, new Session(1, new Reply(), 0), executor);
  executor.readClock();
  for (let i = 0; i < ELEMENTS; i++) {
    executor.execute(call, Request.of(["SET", `key:${i}`, "v", "EX", "100"].map(fromLatin1)));
  }
  executor.execute(call, Request.of([fromLatin1("FLUSHALL")]));
  const { store } = engine;
  // The keys and their index.
  assertEquals(store.garbageCount, 2);
  while (store.garbagePending) store.reclaim(1000);
  store.check();
  assertEquals(store.arena.blockCount < 1000, true);
});
