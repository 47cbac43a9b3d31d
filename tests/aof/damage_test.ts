import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ManualClock } from "../../src/core/clock.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import { realDisk } from "../../src/aof/disk.ts";
import { openAof } from "../../src/aof/open.ts";
import { AofError } from "../../src/aof/replay.ts";
import { type Verdict, verify } from "../../src/aof/verify.ts";
import { Executor } from "../../src/dispatch/executor.ts";
import { commandTable } from "../../src/commands/table.ts";
import { CommandTable } from "../../src/dispatch/registry.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { encodeRequest, latin1 } from "../helpers/client.ts";
import { createEngine } from "../helpers/engine.ts";
import { property, randomBytes } from "../helpers/property.ts";
import { redisTest } from "../helpers/redis.ts";
import { TEST_START_MS, withServer } from "../helpers/server.ts";
import { concatBytes } from "../helpers/wire.ts";
import { ASSORTED, commands, MemorySource, type SealedFile, sealedFile } from "./files.ts";

const table = new CommandTable(commandTable);

function judge(bytes: Uint8Array): Promise<Verdict> {
  return verify(new MemorySource(bytes), {
    knows: ({ bytes, start, end }) => table.find(bytes, start[0], end[0]) !== undefined,
  });
}

/** Checks that the loaded part is a prefix of the original file, up to the end of a group. */
function assertPrefix(verdict: Verdict, damaged: Uint8Array, { bytes, groupEnds }: SealedFile): void {
  const { wholeBytes } = verdict;
  assert(groupEnds.includes(wholeBytes), `byte ${wholeBytes} is no group's end`);
  for (let i = 0; i < wholeBytes; i++) assertEquals(damaged[i], bytes[i], `byte ${i} would be loaded wrong`);
}

function groupOf(offset: number, { groupEnds }: SealedFile): number {
  return groupEnds.findIndex((end) => end > offset) - 1;
}

Deno.test("a file that nothing happened to is whole", async () => {
  for (const synced of [true, false]) {
    const { bytes } = sealedFile(ASSORTED, synced);
    const verdict = await judge(bytes);
    assertEquals(verdict.damage, undefined);
    assertEquals([verdict.wholeBytes, verdict.totalBytes, verdict.seals], [bytes.length, bytes.length, 8]);
  }
});

Deno.test("a file cut anywhere loads up to the last whole group", async () => {
  for (const synced of [true, false]) {
    const file = sealedFile(ASSORTED, synced);
    for (let length = 0; length < file.bytes.length; length++) {
      const cut = file.bytes.subarray(0, length);
      const verdict = await judge(cut);
      // Before the first complete seal it is unknown whether the file has any, so whole commands count.
      if (length < file.groupEnds[1]) continue;
      assertEquals(verdict.wholeBytes, file.groupEnds.findLast((end) => end <= length), `cut at ${length}`);
      if (verdict.wholeBytes < length) assertEquals(verdict.damage?.middle, false, `cut at ${length}`);
    }
  }
});

Deno.test("any flipped bit in synced data is found, and the file refused", async () => {
  const file = sealedFile(ASSORTED, true);
  const last = file.groupEnds.length - 2;
  for (let bit = 0; bit < file.bytes.length * 8; bit++) {
    const damaged = file.bytes.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    const verdict = await judge(damaged);
    const group = groupOf(bit >> 3, file);
    const what = `bit ${bit}, group ${group}`;
    assert(verdict.damage !== undefined, what);
    assertPrefix(verdict, damaged, file);
    assertEquals(verdict.wholeBytes, file.groupEnds[group], what);
    assertEquals(verdict.damage!.middle, group < last, what);
    const { offset } = verdict.damage!;
    assert(offset >= file.groupEnds[group] && offset < file.groupEnds[group + 1], `${what}: named byte ${offset}`);
  }
});

Deno.test("any flipped bit in data never synced costs only the data after it", async () => {
  const file = sealedFile(ASSORTED, false);
  for (let bit = 0; bit < file.bytes.length * 8; bit++) {
    const damaged = file.bytes.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    const verdict = await judge(damaged);
    assert(verdict.damage !== undefined, `bit ${bit}`);
    assertPrefix(verdict, damaged, file);
    assertEquals(verdict.wholeBytes, file.groupEnds[groupOf(bit >> 3, file)], `bit ${bit}`);
    assertEquals(verdict.damage!.middle, false, `bit ${bit}`);
  }
});

/** Groups of random commands, up to about 40 KB. */
function randomGroups(random: SeededRandom): Uint8Array[] {
  return Array.from(
    { length: 2 + random.below(30) },
    () =>
      concatBytes(Array.from({ length: 1 + random.below(8) }, () => {
        const key = `key:${random.below(50)}`;
        switch (random.below(4)) {
          case 0:
            return encodeRequest(["SET", key, randomBytes(random, random.below(400))]);
          case 1:
            return encodeRequest(["RPUSH", key, ...Array.from({ length: 1 + random.below(5) }, () => "element")]);
          case 2:
            return commands("MULTI", `DEL ${key}`, "INCR counter", "EXEC");
          default:
            return commands(`SELECT ${random.below(16)}`, `DEL ${key}`);
        }
      })),
  );
}

/** Damage as disks cause it: flipped bits, sectors that read as zeros or garbage, moved blocks, a missing end. */
function damage(random: SeededRandom, whole: Uint8Array): Uint8Array {
  let bytes = whole.slice();
  const sector = 1 << (4 + random.below(6));
  const place = () => random.below(bytes.length);
  for (let times = 1 + random.below(3); times > 0 && bytes.length > 0; times--) {
    const at = place();
    const from = at - at % sector;
    switch (random.below(6)) {
      case 0:
      case 1:
        bytes[at] ^= 1 << random.below(8);
        break;
      case 2:
        bytes.fill(0, from, from + sector);
        break;
      case 3:
        bytes.set(randomBytes(random, Math.min(sector, bytes.length - from)), from);
        break;
      case 4: {
        const other = place();
        bytes.copyWithin(from, other - other % sector, other - other % sector + sector);
        break;
      }
      case 5:
        bytes = bytes.slice(0, at);
    }
  }
  return bytes;
}

Deno.test("after any damage by a disk, only an intact prefix of the file is loaded", async () => {
  await property(300, async (random) => {
    const file = sealedFile(randomGroups(random), random.below(2) === 0);
    const damaged = damage(random, file.bytes);
    const verdict = await judge(damaged);
    if (verdict.seals === 0) return; // damaged in its first group: whole commands before it may count
    assertPrefix(verdict, damaged, file);
    const same = damaged.length === file.bytes.length && damaged.every((byte, i) => byte === file.bytes[i]);
    // A cut between two groups is a file that ends earlier.
    assertEquals(verdict.damage === undefined, same || verdict.wholeBytes === damaged.length);
  });
});

Deno.test("a file without seals loads up to where it was cut", async () => {
  const bytes = concatBytes([...ASSORTED]);
  const looksWhole = latin1(bytes).indexOf("PING");
  for (let length = 0; length < bytes.length; length++) {
    const verdict = await judge(bytes.subarray(0, length));
    // A value that looks like commands makes the cut suspicious, so asking the user is right.
    if (verdict.damage?.middle) assert(length > looksWhole && length < looksWhole + 40, `cut at ${length}`);
    assert(verdict.wholeBytes <= length);
    assertEquals((await judge(bytes.subarray(0, verdict.wholeBytes))).damage, undefined);
  }
});

Deno.test("a file without seals that is broken in the middle is refused", async () => {
  const bytes = commands("SET a 1", "SET b 2", "SET c 3", "SET d 4");
  const size = bytes.length / 4;
  const broken: [number, string, RegExp][] = [
    [size, "!", /must begin with '\*', not "!"/],
    [size + 1, "7", /argument 3 must begin with '\$'/],
    [size + 5, "9", /argument 0 is longer or shorter/],
    [size + 8, "X", /no such command/],
    [size + 14, "99999999", /a length is wrong/],
  ];
  for (const [at, text, reason] of broken) {
    const damaged = bytes.slice();
    damaged.set(Uint8Array.from(text, (c) => c.charCodeAt(0)), at);
    const { damage, wholeBytes } = await judge(damaged);
    assertMatch(damage!.reason, reason);
    assertEquals([damage!.offset, wholeBytes, damage!.middle], [size, size, true], text);
  }
});

Deno.test("a length that swallows the rest of a file without seals is no cut", async () => {
  const damaged = concatBytes([
    commands("SET a 1"),
    Uint8Array.from("*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$900\r\n2\r\n", (c) => c.charCodeAt(0)),
    commands("SET c 3"),
  ]);
  const { damage } = await judge(damaged);
  assertEquals([damage!.middle, damage!.reason], [true, "a length is wrong"]);
});

Deno.test("zeros at the end of a file without seals are no commands, and are dropped", async () => {
  const whole = commands("SET a 1", "SET b 2");
  const verdict = await judge(concatBytes([whole, new Uint8Array(500)]));
  assertEquals([verdict.wholeBytes, verdict.damage!.offset, verdict.damage!.middle], [
    whole.length,
    whole.length,
    false,
  ]);
  assertEquals((await judge(new Uint8Array(20))).damage!.middle, false);
});

Deno.test("a new file begins with a seal, so that its first write may be torn in any way", async () => {
  await load(new Uint8Array(0), async ({ path }) => {
    const bytes = await Deno.readFile(path);
    const first = bytes.indexOf(10) + 1;
    assertStringIncludes(latin1(bytes.subarray(0, first)), "#CRC:0:");
    for (let at = first; at < bytes.length; at++) {
      const torn = bytes.slice();
      torn.fill(0, at, at + 20);
      const { wholeBytes, damage } = await judge(torn);
      assertEquals([wholeBytes, damage!.middle], [first, false], `torn at ${at}`);
    }
  });
});

Deno.test("Redis's own annotations are skipped", async () => {
  const stamp = Uint8Array.from("#TS:1700000000\r\n", (c) => c.charCodeAt(0));
  const verdict = await judge(concatBytes([stamp, commands("SET a 1"), stamp, commands("SET b 2")]));
  assertEquals([verdict.damage, verdict.commands, verdict.seals], [undefined, 2, 0]);
});

Deno.test("values larger than a piece of the file are verified too", async () => {
  const big = new Uint8Array(3 * 1024 * 1024).fill(65);
  const file = sealedFile([commands("SET a 1"), encodeRequest(["SET", "big", big]), commands("SET c 3")], true);
  assertEquals((await judge(file.bytes)).damage, undefined);
  const damaged = file.bytes.slice();
  damaged[2_000_000] ^= 1;
  const { damage } = await judge(damaged);
  assertEquals([damage!.offset, damage!.middle, damage!.command], [file.groupEnds[1], true, "SET big …"]);
});

/** An engine that loads a file of these bytes, its log, and the folder, which is deleted after the test. */
async function load(
  bytes: Uint8Array,
  body: (
    loaded: { engine: Engine; log: string[]; path: string; folder: string; error?: Error },
  ) => Promise<void> | void,
  settings: Record<string, string> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/db.aof`;
    await Deno.writeFile(path, bytes);
    const engine = createEngine(new ManualClock(TEST_START_MS), settings);
    const log: string[] = [];
    engine.log = (_, text) => log.push(text);
    let error: Error | undefined;
    try {
      const options = { path, restore: true, append: true };
      const aof = await openAof(engine, new Executor(engine, commandTable), options, realDisk);
      engine.effects.command(0, ["SET", "after", "the start"]);
      await aof!.close();
    } catch (thrown) {
      if (!(thrown instanceof AofError)) throw thrown;
      error = thrown;
    }
    await body({ engine, log, path, folder, error });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function keysOf(engine: Engine): number {
  return engine.store.databases.reduce((sum, db) => sum + db.size, 0);
}

Deno.test("a damaged tail is dropped, kept beside the file, and told", async () => {
  const file = sealedFile([commands("SELECT 0", "SET a 1"), commands("SET b 2"), commands("SET c 3")], true);
  const cut = file.bytes.slice(0, -20);
  await load(cut, async ({ engine, log, path, folder, error }) => {
    assertEquals(error, undefined);
    assertEquals(keysOf(engine), 2);
    const kept = file.groupEnds[2];
    const text = log.join("\n");
    assertStringIncludes(text, `is damaged at byte ${kept}`);
    assertStringIncludes(text, `The last ${cut.length - kept} bytes, from byte ${kept} on, are left out`);
    const copy = [...Deno.readDirSync(folder)].map(({ name }) => name).find((name) => name.includes("dropped"))!;
    assertEquals(await Deno.readFile(`${folder}/${copy}`), cut.slice(kept));
    // Commands appended afterwards continue the checksum.
    const now = await Deno.readFile(path);
    const verdict = await judge(now);
    assertEquals([verdict.damage, verdict.seals, verdict.wholeBytes], [undefined, 3, now.length]);
    assertStringIncludes(latin1(now.subarray(kept)), "the start");
  });
});

Deno.test("a damaged end is cut off if it is shorter than aof-load-corrupt-tail-max-size", async () => {
  const whole = commands("SET a 1", "INCR n"), text = "corruption";
  const bytes = Uint8Array.from([...whole, ...new TextEncoder().encode(text)]);
  await load(bytes, async ({ path, error }) => {
    assertMatch(error!.message, /Bad file format.*start with --aof-load-corrupt-tail-max-size 11 to continue without/);
    assertEquals(await Deno.readFile(path), bytes);
  }, { "aof-load-corrupt-tail-max-size": `${text.length}` });
  await load(bytes, async ({ engine, error, folder, log, path }) => {
    assertEquals([error, keysOf(engine)], [undefined, 2]);
    assertStringIncludes(log.join("\n"), "loaded anyway because aof-load-corrupt-tail-max-size is enabled");
    const copy = [...Deno.readDirSync(folder)].map(({ name }) => name).find((name) => name.includes("dropped"))!;
    assertEquals(latin1(await Deno.readFile(`${folder}/${copy}`)), text);
    assertEquals((await judge(await Deno.readFile(path))).damage, undefined);
  }, { "aof-load-corrupt-tail-max-size": `${text.length + 1}` });
});

Deno.test("a damaged tail is refused when the settings say so", async () => {
  const { bytes } = sealedFile([commands("SET a 1"), commands("SET b 2")], true);
  const cut = bytes.slice(0, -5);
  await load(cut, async ({ path, error }) => {
    assertMatch(error!.message, /is damaged at byte \d+.*Start with --aof-load-truncated yes/);
    assertEquals(await Deno.readFile(path), cut);
  }, { "aof-load-truncated": "no" });
});

Deno.test("damage in the middle stops the start, names the place and changes nothing", async () => {
  const file = sealedFile([commands("SET a 1"), commands("SET victim 2"), commands("SET c 3")], true);
  const damaged = file.bytes.slice();
  damaged[file.groupEnds[1] + 29] ^= 4;
  await load(damaged, async ({ engine, path, error }) => {
    assertStringIncludes(error!.message, `is damaged at byte ${file.groupEnds[1]}, SET victim …`);
    assertStringIncludes(error!.message, "do not fit their checksum");
    assertStringIncludes(error!.message, `memdb check-aof ${path}`);
    assertEquals(keysOf(engine), 0);
    assertEquals(await Deno.readFile(path), damaged);
  });
});

Deno.test("a file of another server is continued, and its part covered from then on", async () => {
  const foreign = commands("SELECT 0", "SET a 1", "SET b 2");
  await load(foreign, async ({ engine, path }) => {
    assertEquals(keysOf(engine), 2);
    const bytes = await Deno.readFile(path);
    assertEquals((await judge(bytes)).damage, undefined);
    bytes[foreign.length - 3] ^= 1;
    assertEquals((await judge(bytes)).wholeBytes, 0);
  });
});

Deno.test("random damage gives the state of a prefix, or a refusal that names the place", async () => {
  await property(25, async (random) => {
    const groups = randomGroups(random);
    const file = sealedFile([commands("SELECT 0"), ...groups], random.below(2) === 0);
    const damaged = damage(random, file.bytes);
    await load(damaged, async ({ engine, error, path }) => {
      if (error !== undefined) {
        assertMatch(error.message, /is damaged at byte \d+, .+: /);
        return assertEquals(await Deno.readFile(path), damaged);
      }
      engine.store.check();
      const { wholeBytes } = await judge(damaged);
      await load(file.bytes.slice(0, wholeBytes), (expected) => {
        assertEquals(
          engine.store.databases.map((db) => db.size),
          expected.engine.store.databases.map((db) => db.size),
        );
      });
    });
  });
});

Deno.test("the policy under which data was written decides whether it may be dropped", async () => {
  for (const [policy, middle] of [["always", true], ["everysec", false], ["no", true]] as const) {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/db.aof`;
    // The clock stands still, so the sync of every second does not happen.
    await withServer(async (client) => {
      for (const key of ["first", "second", "third"]) await client.run(`SET ${key} value`);
    }, { settings: { appendonly: "yes", aofpath: path, appendfsync: policy } });
    const bytes = await Deno.readFile(path);
    await Deno.remove(folder, { recursive: true });
    bytes[latin1(bytes).indexOf("first")] ^= 1;
    assertEquals((await judge(bytes)).damage!.middle, middle, policy);
  }
});

Deno.test("the program refuses a damaged file with one line and no stack trace", async () => {
  const folder = await Deno.makeTempDir();
  const file = sealedFile(ASSORTED, true);
  const damaged = file.bytes.slice();
  damaged[file.groupEnds[2] + 5] ^= 64;
  await Deno.writeFile(`${folder}/db.aof`, damaged);
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", "-A", main, "--port", "0", "--aofpath", `${folder}/db.aof`],
  }).output();
  await Deno.remove(folder, { recursive: true });
  const text = latin1(stdout) + latin1(stderr);
  assertEquals(code, 1);
  // Before it there are only lines of the level notice.
  assertMatch(text, /^([^\n]* \* [^\n]*\n)*[^\n]*# Cannot start: [^\n]* is damaged at byte \d+[^\n]*\n$/);
});

redisTest("redis-server and redis-check-aof take a file with seals", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/appendonly.aof`;
  await withServer(async (client) => {
    for (let i = 0; i < 50; i++) await client.run(`SET key:${i} ${i}`);
    await client.run("RPUSH list a b c");
    await client.run("SETEX passing 1000 v");
  }, { settings: { appendonly: "yes", aofpath: path } });
  assertStringIncludes(latin1(await Deno.readFile(path)), "#CRC:");
  const check = await new Deno.Command("redis-check-aof", { args: [path] }).output();
  assertStringIncludes(latin1(check.stdout), "is valid");
  const args = ["--port", "0", "--unixsocket", `${folder}/s`, "--appendonly", "yes", "--dir", folder, "--save", ""];
  const child = new Deno.Command("redis-server", { args, stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  let text = "";
  while (!text.includes("Ready to accept")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += latin1(value);
  }
  await reader.cancel();
  child.kill("SIGKILL");
  await child.status;
  await Deno.remove(folder, { recursive: true });
  assertStringIncludes(text, "DB loaded from");
});
