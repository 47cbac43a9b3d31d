/** Users in files: the ACL file, the lines of the config file, and what a start with faulty ones says. */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { StartError } from "../../src/core/start_error.ts";
import { Server } from "../../src/server/server.ts";
import { parseServeOptions, UsageError } from "../../src/server/options.ts";
import { Settings } from "../../src/settings/settings.ts";
import { Folder, unixTest } from "../e2e/process.ts";
import { TestClient } from "../helpers/client.ts";
import { decode } from "../helpers/decode.ts";
import { testWith } from "../helpers/programs.ts";
import { Pair, withRedis } from "../helpers/redis.ts";
import { TestServer } from "../helpers/server.ts";

const ALICE = "user alice on nopass sanitize-payload ~a* resetchannels -@all +get (%R~b* resetchannels -@all +get)";
const DEFAULT = "user default on nopass sanitize-payload ~* &* +@all";

Deno.test("ACL SAVE writes the users, and ACL LOAD reads them back", async () => {
  await using folder = new Folder();
  const path = folder.file("users.acl");
  Deno.writeTextFileSync(path, `${DEFAULT}\n\n${ALICE}\n`);
  await using server = await TestServer.start({ settings: { dir: folder.path, aclfile: "users.acl" } });
  const client = await server.connect();
  assertEquals(decode(await client.run("ACL LIST")), [ALICE, DEFAULT]);
  await client.run("ACL SETUSER bob >pw on +@all -debug resetkeys %R~x");
  await client.run("ACL DELUSER alice");
  assertEquals(await client.run("ACL SAVE"), "+OK\r\n");
  const saved = Deno.readTextFileSync(path);
  assertMatch(
    saved,
    /^user bob on sanitize-payload #[0-9a-f]{64} %R~x resetchannels \+@all -debug\nuser default .*\n$/,
  );
  await client.run("ACL DELUSER bob");
  assertEquals(await client.run("ACL LOAD"), "+OK\r\n");
  assertEquals(decode(await client.run("ACL USERS")), ["bob", "default"]);
  Deno.writeTextFileSync(path, "");
  assertEquals(await client.run("ACL LOAD"), "+OK\r\n");
  assertEquals(decode(await client.run("ACL LIST")), [DEFAULT]);
});

unixTest("a new ACL file is readable by its owner alone, an old one keeps its mode", async () => {
  await using folder = new Folder();
  const path = folder.file("users.acl");
  Deno.writeTextFileSync(path, "");
  await using server = await TestServer.start({ settings: { aclfile: path } });
  const client = await server.connect();
  Deno.removeSync(path);
  assertEquals(await client.run("ACL SAVE"), "+OK\r\n");
  assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
  Deno.chmodSync(path, 0o640);
  assertEquals(await client.run("ACL SAVE"), "+OK\r\n");
  assertEquals(Deno.statSync(path).mode! & 0o777, 0o640);
});

/** Files with faults. */
const DAMAGED = [
  "nonsense",
  "user",
  "user a on\nuser a off",
  "user a +nope +@nope ~x nonsense >p %q",
  "user a allkeys ~x\nuser b &* &x\n\n user c #abc",
  "# comment\nuser ok on",
  "user a +get|x|y\nuser default (+get",
  "user a  on   nopass\nUSER b on",
];

for (const [i, text] of DAMAGED.entries()) {
  testWith(
    ["redis-server"],
    `a damaged ACL file keeps the old users and names its faults as Redis does (${i + 1})`,
    async () => {
      await using folder = new Folder();
      const path = folder.file("users.acl");
      Deno.writeTextFileSync(path, `${DEFAULT}\n${ALICE}\n`);
      await comparing({ aclfile: path }, async (pair) => {
        await pair.same("ACL", "LIST");
        Deno.writeTextFileSync(path, text);
        assertStringIncludes(
          await pair.same("ACL", "LOAD"),
          "no change to the previously active ACL rules was performed",
        );
        await pair.same("ACL", "LIST");
      });
    },
  );
}

/** Runs `body` with both servers under the same settings. */
async function comparing(settings: Record<string, string>, body: (pair: Pair) => Promise<void>): Promise<void> {
  await withRedis(async (redis) => {
    await using server = await TestServer.start({ settings });
    await body(new Pair(await server.connect(), redis));
  }, settings);
}

Deno.test("a server does not start with a damaged ACL file or damaged user lines", async () => {
  await using folder = new Folder();
  const path = folder.file("users.acl");
  Deno.writeTextFileSync(path, "user a +nope\nrubbish");
  const settings = new Settings();
  for (const [name, text] of [["port", "0"], ["aclfile", path]] as const) settings.init(name, [text]);
  const { message } = await assertRejects(() => Server.start({ settings }), StartError);
  assertStringIncludes(message, `${path}:1: Error in applying operation '+nope': Unknown command or category name`);
  assertStringIncludes(message, `${path}:2 should start with user keyword followed by the username.`);

  const plain = new Settings();
  plain.init("port", ["0"]);
  const users = [
    { where: "memdb.conf, line 2: ", words: ["a", "on", ">secret", "+nope"] },
    { where: "memdb.conf, line 3: ", words: ["b", "#secret"] },
    { where: "memdb.conf, line 4: ", words: ["b", "on"] },
    { where: "", words: ["c", "(+get"] },
  ];
  const refused = await assertRejects(() => Server.start({ settings: plain, users }), StartError);
  assertEquals(refused.message.split("\n"), [
    "memdb.conf, line 2: user 'a': Unknown command or category name in ACL ('+nope')",
    "memdb.conf, line 3: user 'b': The password hash must be exactly 64 characters and contain only lowercase " +
    "hexadecimal characters ('#...')",
    "memdb.conf, line 4: Duplicate user 'b' found. A user can only be defined once in config files",
    "user 'c': Unmatched parenthesis in acl selector starting at '(+get'.",
  ]);
});

/** Reads options from a config file of these lines, and flags. */
function options(lines: readonly string[], ...flags: string[]) {
  return parseServeOptions(["memdb.conf", ...flags], {
    environment: {},
    folder: "/data",
    readFile: () => lines.join("\n"),
    readFolder: () => [],
    kindOf: (path) => path === "/data" ? "folder" : undefined,
  });
}

Deno.test("users come from the config file and from flags, but not from an ACL file at the same time", () => {
  const { users } = options(["port 0", 'user alice on ">a b" ~*', "USER bob off"], "--user", "carl", "on", "+get");
  assertEquals(users.map(({ words }) => words), [["alice", "on", ">a b", "~*"], ["bob", "off"], [
    "carl",
    "on",
    "+get",
  ]]);
  assertEquals(users[1].where, "memdb.conf, line 3: ");
  const { message } = assertThrows(() => options(["user alice on", "aclfile users.acl"]), UsageError);
  assertMatch(message, /^memdb.conf, line 1: users are defined here and in aclfile 'users.acl'/);
  assertThrows(() => options(["user"]), UsageError, "user needs a name");
});

Deno.test("CONFIG REWRITE writes the users in the place of the old ones", async () => {
  await using folder = new Folder();
  const path = folder.file("memdb.conf");
  Deno.writeTextFileSync(path, "# mine\nport 0\nuser alice on\nhz 10\n");
  const settings = new Settings();
  settings.init("port", ["0"]);
  const server = await Server.start({ settings, configFile: path, users: [{ where: "", words: ["alice", "on"] }] });
  const client = await TestClient.connect(server.port);
  await client.run("ACL SETUSER alice ~a* +get");
  await client.run("ACL SETUSER bob nopass");
  assertEquals(await client.run("CONFIG REWRITE"), "+OK\r\n");
  assertEquals(
    Deno.readTextFileSync(path),
    "# mine\nport 0\nuser alice on sanitize-payload ~a* resetchannels -@all +get\n" +
      "user bob off nopass sanitize-payload resetchannels -@all\n" + `${DEFAULT}\nhz 10\n`,
  );
  client.close();
  await server.stop();
});
