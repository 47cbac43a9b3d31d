import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { checkAof } from "../../src/tools/check_aof.ts";
import { createDetachedEngine } from "../../src/tools/detached.ts";
import { redisTest, withRedis } from "../helpers/redis.ts";
import { concatBytes } from "../helpers/wire.ts";
import { ASSORTED, commands, sealedFile } from "../aof/files.ts";

/** A folder for one test, and the check of a file in it. */
class Folder {
  readonly path = Deno.makeTempDirSync();
  readonly file = `${this.path}/db.aof`;

  /** Runs the check. Returns the exit status and the output. */
  async check(...args: string[]): Promise<{ status: number; text: string }> {
    const lines: string[] = [];
    const print = (line: string) => void lines.push(line);
    const path = args.some((arg) => arg.startsWith(this.path)) ? [] : [this.file];
    const status = await checkAof([...path, ...args], { createEngine: createDetachedEngine, out: print, error: print });
    return { status, text: lines.join("\n") };
  }

  write(bytes: Uint8Array): void {
    Deno.writeFileSync(this.file, bytes);
  }

  read(): Uint8Array {
    return Deno.readFileSync(this.file);
  }

  /** The copy made by a repair. */
  copy(): Uint8Array {
    const name = [...Deno.readDirSync(this.path)].map(({ name }) => name).find((name) => name.includes(".before-"));
    return Deno.readFileSync(`${this.path}/${name}`);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const SEALED = sealedFile([
  commands("SELECT 0", "SET a 1", "SET b 2"),
  commands("SELECT 3", "RPUSH list x y"),
  commands("MULTI", "DEL a", "SET c 3", "EXEC"),
  commands("SET d 4"),
], true);

function flipped(offset: number): Uint8Array {
  const bytes = SEALED.bytes.slice();
  bytes[offset] ^= 1;
  return bytes;
}

Deno.test("a whole file is described", async () => {
  using folder = new Folder();
  folder.write(SEALED.bytes);
  const { status, text } = await folder.check();
  assertEquals(status, 0);
  assertStringIncludes(text, `${SEALED.bytes.length} bytes, 10 whole commands, 4 checksums`);
  assertStringIncludes(text, "Keys when it is loaded: 5 (db0: 2, db3: 3)");
  assertStringIncludes(text, "The file is whole");
  assertEquals((await folder.check("--quick")).text.includes("Keys"), false);
});

Deno.test("the first damage is named with its place and its command", async () => {
  using folder = new Folder();
  const from = SEALED.groupEnds[1];
  folder.write(flipped(from + 52));
  const { status, text } = await folder.check();
  assertEquals(status, 1);
  assertStringIncludes(text, `Damaged at byte ${from}, SELECT 3: bytes ${from} to `);
  assertStringIncludes(text, "do not fit their checksum");
  assertStringIncludes(text, `the last ${SEALED.bytes.length - from} bytes are not`);
  assertStringIncludes(text, "in the middle: a server refuses this file");
  assertEquals(folder.read(), flipped(from + 52));
});

Deno.test("--fix cuts where the damage begins, after a copy", async () => {
  using folder = new Folder();
  const damaged = flipped(SEALED.groupEnds[2] + 20);
  folder.write(damaged);
  const { status, text } = await folder.check("--fix");
  assertEquals(status, 0);
  assertStringIncludes(text, `Cut at byte ${SEALED.groupEnds[2]}`);
  assertEquals(folder.read(), SEALED.bytes.slice(0, SEALED.groupEnds[2]));
  assertEquals(folder.copy(), damaged);
  assertMatch((await folder.check()).text, /The file is whole$/);
});

Deno.test("--fix leaves a whole file alone", async () => {
  using folder = new Folder();
  folder.write(SEALED.bytes);
  assertEquals((await folder.check("--fix")).status, 0);
  assertEquals([...Deno.readDirSync(folder.path)].length, 1);
});

Deno.test("--truncate-to goes back to any command, and never into a transaction", async () => {
  for (let offset = 0; offset <= SEALED.bytes.length; offset += 9) {
    using folder = new Folder();
    folder.write(SEALED.bytes);
    assertEquals((await folder.check("--truncate-to", String(offset), "--quick")).status, 0);
    const now = await folder.check("--list");
    assertStringIncludes(now.text, "whole", `truncated to ${offset}:\n${now.text}`);
    assertEquals(now.status, 0);
    assertEquals(now.text.includes("MULTI"), now.text.includes("EXEC"), `truncated to ${offset}`);
    if (offset >= SEALED.groupEnds[2]) assertStringIncludes(now.text, "RPUSH list …");
  }
});

Deno.test("--list shows where each command begins", async () => {
  using folder = new Folder();
  folder.write(SEALED.bytes);
  const { text } = await folder.check("--list", "--quick");
  assertEquals(text.split("\n").slice(0, 3), ["0 SELECT 0", "23 SET a …", "50 SET b …"]);
});

Deno.test("--truncate-to takes a time where the file has timestamps", async () => {
  const stamp = (seconds: number) => Uint8Array.from(`#TS:${seconds}\r\n`, (c) => c.charCodeAt(0));
  const parts = [1000, 2000, 3000].map((time, i) => concatBytes([stamp(time), commands(`SET k${i} v`)]));
  for (const place of ["@2000", "1970-01-01T00:33:20Z"]) {
    using folder = new Folder();
    folder.write(concatBytes(parts));
    assertEquals((await folder.check("--truncate-to", place)).status, 0);
    assertEquals(folder.read(), concatBytes(parts.slice(0, 2)));
  }
  using folder = new Folder();
  folder.write(SEALED.bytes);
  const { status, text } = await folder.check("--truncate-to", "@2000");
  assertEquals(status, 2);
  assertStringIncludes(text, "holds no timestamps");
});

Deno.test("--reseal accepts a file edited by hand", async () => {
  using folder = new Folder();
  const edited = concatBytes([commands("SET first 0"), flipped(SEALED.groupEnds[1] + 52)]);
  folder.write(edited);
  assertEquals((await folder.check()).status, 1);
  assertEquals((await folder.check("--reseal")).status, 0);
  const { status, text } = await folder.check();
  assertEquals(status, 0);
  assertStringIncludes(text, "Keys when it is loaded: 6 ");
  assertEquals(folder.copy(), edited);
});

Deno.test("--reseal refuses what has no form", async () => {
  using folder = new Folder();
  folder.write(flipped(0));
  const { status, text } = await folder.check("--reseal");
  assertEquals(status, 1);
  assertStringIncludes(text, "Not sealed again");
  assertEquals([folder.read(), [...Deno.readDirSync(folder.path)].length], [flipped(0), 1]);
});

Deno.test("a torn end of a file without checksums is found", async () => {
  using folder = new Folder();
  const whole = commands("SET a 1", "SET b 2");
  folder.write(whole.slice(0, -4));
  const { status, text } = await folder.check("--fix");
  assertEquals(status, 0);
  assertStringIncludes(text, "the file ends within a command");
  assertEquals(folder.read(), whole.slice(0, whole.length / 2));
});

Deno.test("a file that a server has open is not changed", async () => {
  using folder = new Folder();
  folder.write(flipped(20));
  // A lock also applies to other open files of the same process.
  using held = Deno.openSync(folder.file, { read: true, write: true });
  held.lockSync(true);
  const { status, text } = await folder.check("--fix");
  assertEquals(status, 2);
  assertStringIncludes(text, "in use by a server");
});

Deno.test("wrong flags and missing files are told in one line", async () => {
  using folder = new Folder();
  folder.write(SEALED.bytes);
  for (
    const [args, message] of [
      [["--mend"], "unknown flag --mend"],
      [["--fix", "--reseal"], "exclude each other"],
      [["--truncate-to", "soon"], "byte offset or a time"],
      [["--truncate-to", "99999"], "not in the whole part"],
      [[`${folder.path}/none.aof`], "cannot"],
    ] as const
  ) {
    const { status, text } = await folder.check(...args);
    assertEquals(status, 2, message);
    assertStringIncludes(text, message);
    assertEquals(text.includes("    at "), false);
  }
});

Deno.test("the program checks a file", async () => {
  using folder = new Folder();
  folder.write(concatBytes([...ASSORTED]));
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const args = ["run", "-q", "-A", main, "check-aof", folder.file];
  const { code, stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
  assertEquals(code, 0);
  assertStringIncludes(new TextDecoder().decode(stdout), "The form of the file is right");
});

redisTest("the folder of a redis-server is understood, snapshot included", async () => {
  await withRedis(async (redis) => {
    for (let i = 0; i < 20; i++) await redis.run(`SET key:${i} ${i}`);
    await redis.run("CONFIG SET aof-timestamp-enabled yes");
    await redis.run("CONFIG SET appendonly yes");
    for (let tries = 0; tries < 200; tries++) {
      if ((await redis.run("INFO persistence")).includes("aof_rewrite_in_progress:0")) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await redis.run("RPUSH list a b");
    const folder = (await redis.run("CONFIG GET dir")).split("\r\n")[4] + "/appendonlydir";
    const lines: string[] = [];
    const print = (line: string) => void lines.push(line);
    const status = await checkAof([folder], { createEngine: createDetachedEngine, out: print, error: print });
    const text = lines.join("\n");
    assertEquals(status, 0, text);
    assertMatch(text, /begins with a snapshot of 20 keys/);
    assertMatch(text, /incr\.aof: \d+ bytes, 2 whole commands, no checksums/);
  }, { appendfsync: "always" });
});
