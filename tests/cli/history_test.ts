import { assertEquals } from "@std/assert";
import { History, historyPath, isSensitive } from "../../src/cli/history.ts";

Deno.test("lines that carry a password are sensitive, others are not", () => {
  const sensitive = [
    "AUTH secret",
    "auth",
    "  auth user secret",
    '"AUTH" secret',
    '"AU\\x54H" secret',
    'auth "unbalanced',
    "3 auth secret",
    "+3 auth secret",
    "ACL SETUSER alice >secret",
    "acl getuser alice",
    "acl deluser alice",
    "CONFIG SET requirepass secret",
    "config set maxmemory 1mb masterauth secret",
    "config set tls-key-file-pass secret",
    "HELLO 3 AUTH user secret",
    "hello 2 setname x auth user secret",
    "MIGRATE host 6379 key 0 100 AUTH secret",
    "migrate host 6379 key 0 100 copy auth2 user secret",
    "sentinel set mymaster auth-pass secret",
  ];
  const harmless = [
    "",
    "get auth",
    "set auth 1",
    "ACL WHOAMI",
    "CONFIG GET requirepass",
    "HELLO 3",
    "MIGRATE h 1 k 0 1",
  ];
  for (const line of sensitive) assertEquals(isSensitive(line), true, line);
  for (const line of harmless) assertEquals(isSensitive(line), false, line);
});

Deno.test("the history file keeps lines between sessions, without passwords, blanks and repetitions", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/history`;
    const first = new History(path);
    assertEquals(first.load(), []);
    assertEquals(["get a", "get a", "", "auth secret", "set é 1"].map((line) => first.add(line)), [
      true,
      true,
      true,
      false,
      true,
    ]);
    assertEquals(await Deno.readTextFile(path), "get a\nset é 1\n");
    if (Deno.build.os !== "windows") assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    const second = new History(path);
    assertEquals(second.load(), ["get a", "set é 1"]);
    second.add("set é 1");
    second.add("get b");
    assertEquals(new History(path).load(), ["get a", "set é 1", "get b"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a secret that an earlier version has stored leaves the file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/history`;
    await Deno.writeTextFile(path, "get a\nacl getuser alice\nget b\n");
    assertEquals(new History(path).load(), ["get a", "get b"]);
    assertEquals(await Deno.readTextFile(path), "get a\nget b\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a history that has outgrown itself is cut to the newest thousand lines", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/history`;
    await Deno.writeTextFile(path, Array.from({ length: 2500 }, (_, index) => `get ${index}\n`).join(""));
    const lines = new History(path).load();
    assertEquals([lines.length, lines[0], lines.at(-1)], [1000, "get 1500", "get 2499"]);
    assertEquals((await Deno.readTextFile(path)).split("\n").length, 1001);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a history that cannot be read or written does not disturb the session", () => {
  const history = new History("/nosuch/folder/history");
  assertEquals(history.load(), []);
  assertEquals(history.add("get a"), true);
  assertEquals(new History(undefined).load(), []);
});

Deno.test("the history's place comes from MEMDB_HISTFILE, REDISCLI_HISTFILE or the home folder", () => {
  const path = (variables: Record<string, string>) => historyPath((name) => variables[name]);
  assertEquals(path({ HOME: "/home/a" }), "/home/a/.memdb_history");
  assertEquals(path({ HOME: "/home/a", REDISCLI_HISTFILE: "/r" }), "/r");
  assertEquals(path({ MEMDB_HISTFILE: "/m", REDISCLI_HISTFILE: "/r" }), "/m");
  assertEquals(path({ HOME: "/home/a", MEMDB_HISTFILE: "/dev/null" }), undefined);
  assertEquals(path({}), undefined);
});
