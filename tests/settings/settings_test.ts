import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { SettingChangeError, SettingError, Settings } from "../../src/settings/settings.ts";
import { quoteWord, splitWords } from "../../src/settings/config_file.ts";
import { NOTIFY_BITS } from "../../src/settings/kinds.ts";
import { allSettings, camelCase } from "../../src/settings/table.ts";

/** The error reply of CONFIG SET, or the new text of the setting. */
function change(settings: Settings, name: string, text: string, local = true): string {
  try {
    settings.change([[name, text]], local);
    return `OK ${settings.get(name)}`;
  } catch (error) {
    if (!(error instanceof SettingChangeError)) throw error;
    return error.message.replace(`CONFIG SET failed (possibly related to argument '${name}') - `, "");
  }
}

function assertChanges(settings: Settings, name: string, expected: Readonly<Record<string, string>>): void {
  for (const [text, result] of Object.entries(expected)) {
    assertEquals(change(settings, name, text), result, `${name} ${JSON.stringify(text)}`);
  }
}

const NOT_INTEGER = "argument couldn't be parsed into an integer";
const NOT_MEMORY = "argument must be a memory value";

Deno.test("the table names every setting once, with a default of its own kind", () => {
  const names = allSettings.flatMap(({ name, alias }) => alias === undefined ? [name] : [name, alias]);
  assertEquals(new Set(names).size, names.length);
  const { values } = new Settings();
  for (const { name, meaning } of allSettings) {
    assertEquals(camelCase(name) in values, true, name);
    assertEquals(meaning.length > 0, true, name);
  }
});

Deno.test("values are plain fields of the right type", () => {
  const { values } = new Settings();
  const maxmemory: number = values.maxmemory;
  const policy: "everysec" | "always" | "no" = values.appendfsync;
  const bind: readonly string[] = values.bind;
  assertEquals([maxmemory, policy, bind], [0, "everysec", ["127.0.0.1"]]);
  assertEquals(values.clientOutputBufferLimit.pubsub, { hard: 33554432, soft: 8388608, seconds: 60 });
  assertEquals(values.latencyTrackingInfoPercentiles, [50, 99, 99.9]);
  assertEquals(values.save, []);
});

Deno.test("integers take Redis's strict form and range", () => {
  assertChanges(new Settings(), "timeout", {
    "5": "OK 5",
    "+5": NOT_INTEGER,
    " 5": NOT_INTEGER,
    "007": NOT_INTEGER,
    "-0": NOT_INTEGER,
    "1e3": NOT_INTEGER,
    "": NOT_INTEGER,
    "-1": "argument must be between 0 and 2147483647 inclusive",
    "99999999999999999999": NOT_INTEGER,
  });
  assertChanges(new Settings(), "maxclients", { "0": "argument must be between 1 and 4294967295 inclusive" });
  assertChanges(new Settings(), "hz", { "0": "OK 1", "1000": "OK 500" });
  assertChanges(new Settings(), "slowlog-max-len", { "9223372036854775807": "OK 9223372036854775807" });
});

Deno.test("sizes take units, and stay within 64 bits", () => {
  assertChanges(new Settings(), "maxmemory", {
    "1k": "OK 1000",
    "1KB": "OK 1024",
    "2g": "OK 2000000000",
    "1gb": "OK 1073741824",
    "": "OK 0",
    mb: "OK 0",
    "1.5mb": NOT_MEMORY,
    "1 mb": NOT_MEMORY,
    "-1": NOT_MEMORY,
    "1t": NOT_MEMORY,
    "50%": NOT_MEMORY,
    "18446744073709551616": "OK 18446744073709551615",
    "99999999999gb": "OK 15140462030378500096",
  });
  assertChanges(new Settings(), "proto-max-bulk-len", {
    "1024": "argument must be between 1048576 and 9223372036854775807 inclusive",
  });
  assertChanges(new Settings(), "repl-backlog-size", { "1": "OK 16384" });
});

Deno.test("words are taken in any case and shown in their own", () => {
  assertChanges(new Settings(), "appendfsync", {
    ALWAYS: "OK always",
    never: "argument(s) must be one of the following: everysec, always, no",
  });
  assertChanges(new Settings(), "activerehashing", { NO: "OK no", true: "argument must be 'yes' or 'no'" });
});

Deno.test("buffer limits change class by class", () => {
  const settings = new Settings();
  assertChanges(settings, "client-output-buffer-limit", {
    "": "OK normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    "REPLICA 1mb 2mb 5 normal 1 2 3": "OK normal 1 2 3 slave 1048576 2097152 5 pubsub 33554432 8388608 60",
    "normal 0 0": "Wrong number of arguments in buffer limit configuration.",
    "master 0 0 0": "Invalid client class specified in buffer limit configuration.",
    "normal 0 0 -1": "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    "normal 1.5gb 0 0": "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
  });
  assertEquals(settings.values.clientOutputBufferLimit.normal, { hard: 1, soft: 2, seconds: 3 });
});

Deno.test("percentiles print at most six decimals", () => {
  assertChanges(new Settings(), "latency-tracking-info-percentiles", {
    "": "OK ",
    "99.999 12.50": "OK 99.999 12.5",
    "12.3456789 1e1": "OK 12.345679 10",
    "101": "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
    "50  99": "Invalid latency-tracking-info-percentiles parameters",
  });
});

Deno.test("keyspace events print in Redis's order, A for all but m and n", () => {
  const settings = new Settings();
  const expected = { KEA: "AKE", KExg: "gxKE", Kn: "nK", "Kg$lshzxetmdnE": "AKEm", nA: "A", "E$": "$E" };
  for (const [text, shown] of Object.entries(expected)) {
    settings.init("notify-keyspace-events", [text]);
    assertEquals(settings.get("notify-keyspace-events"), shown);
  }
  assertChanges(settings, "notify-keyspace-events", {
    Kq: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
  });
  assertEquals(settings.values.notifyKeyspaceEvents, NOTIFY_BITS.E | NOTIFY_BITS.$);
});

Deno.test("a setting without support is refused with the reason, and its default accepted", () => {
  assertChanges(new Settings(), "tls-port", {
    "0": "OK 0",
    "6380": "MemDB does not speak TLS; put a TLS proxy in front of it",
    "70000": "argument must be between 0 and 65535 inclusive",
  });
  assertChanges(new Settings(), "save", {
    "": "OK ",
    "10": "Invalid save parameters",
    "900 1 60 0": "OK 900 1 60 0",
  });
  assertThrows(() => new Settings().init("tls-port", ["6380"]), SettingError, "does not speak TLS");
});

Deno.test("immutable, protected, unknown and repeated parameters are refused in Redis's words", () => {
  const settings = new Settings();
  const failure = (local: boolean, ...pairs: [string, string][]) =>
    assertThrows(() => settings.change(pairs, local), SettingChangeError).message;
  const related = (name: string, reason: string) =>
    `CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;
  assertEquals(failure(true, ["DAEMONIZE", "no"]), related("DAEMONIZE", "can't set immutable config"));
  assertEquals(failure(true, ["dbfilename", "x"]), related("dbfilename", "can't set protected config"));
  assertEquals(failure(true, ["hz", "1"], ["HZ", "2"]), related("HZ", "duplicate parameter"));
  assertEquals(
    failure(true, ["hz", "x"], ["foo", "1"]),
    "Unknown option or number of arguments for CONFIG SET - 'foo'",
  );
  assertEquals(failure(true, ["HZ", "x"]), related("hz", "argument couldn't be parsed into an integer"));
  settings.init("enable-protected-configs", ["local"]);
  assertEquals(failure(false, ["dbfilename", "x"]), related("dbfilename", "can't set protected config"));
  settings.change([["dbfilename", "x"]], true);
  assertEquals(settings.values.dbfilename, "x");
});

Deno.test("CONFIG SET says once of each setting that it has no effect, and refuses those whose effect is waited for", () => {
  const settings = new Settings();
  assertEquals(settings.change([["list-compress-depth", "1"], ["hz", "20"]], true), [
    "list-compress-depth has no effect: lists are not compressed",
  ]);
  assertEquals(settings.change([["list-compress-depth", "2"]], true), []);
  assertEquals(settings.change([["activerehashing", "yes"]], true), []);
  for (const { name, awaited, idle } of allSettings.filter(({ awaited }) => awaited)) {
    const value = name === "notify-keyspace-events" ? "KEA" : "yes";
    assertEquals(change(settings, name, value), idle, `${awaited}`);
  }
});

Deno.test("hidden settings and Valkey's names answer to their names, not to patterns", () => {
  const settings = new Settings();
  assertEquals(settings.match("rdma*"), []);
  assertEquals(settings.match("commandlog*"), []);
  assertEquals(settings.get("rdma-port"), "0");
  settings.change([["commandlog-execution-slower-than", "7"]], true);
  assertEquals(settings.get("slowlog-log-slower-than"), "7");
});

Deno.test("an alias is another name of the same value, and the later of both wins", () => {
  const settings = new Settings();
  settings.change([["hash-max-ziplist-entries", "10"], ["hash-max-listpack-entries", "11"]], true);
  assertEquals(settings.get("hash-max-ziplist-entries"), "11");
  assertEquals(settings.match("hash-max-*-ENTRIES"), [
    ["hash-max-listpack-entries", "11"],
    ["hash-max-ziplist-entries", "11"],
  ]);
});

Deno.test("a change of several settings is made in full or not at all", () => {
  const settings = new Settings();
  assertThrows(() => settings.change([["hz", "20"], ["timeout", "7"], ["maxmemory", "x"]], true), SettingChangeError);
  assertEquals([settings.get("hz"), settings.get("timeout")], ["10", "0"]);
});

Deno.test("listeners hear of changes, not of equal values, and may take the whole change back", () => {
  const settings = new Settings();
  const heard: string[] = [];
  settings.onChange("hz", (value, previous) => heard.push(`hz ${previous} to ${value}`));
  settings.onChange("maxclients", (value) => {
    heard.push(`maxclients ${value}`);
    if (value > 20000) throw new SettingError("too many");
  });
  settings.change([["hz", "10"], ["maxclients", "100"]], true);
  assertEquals(heard.splice(0), ["maxclients 100"]);
  const error = assertThrows(() => settings.change([["hz", "20"], ["maxclients", "99999"]], true), SettingChangeError);
  assertEquals(error.message, "CONFIG SET failed (possibly related to argument 'maxclients') - too many");
  assertEquals(heard, ["hz 10 to 20", "maxclients 99999", "hz 20 to 10", "maxclients 100"]);
  assertEquals([settings.values.hz, settings.values.maxclients], [10, 100]);
});

Deno.test("a setting that needs a handler for changes cannot change without one", () => {
  const settings = new Settings();
  assertEquals(change(settings, "port", "7000"), "can't be changed while this server runs");
  assertEquals(change(settings, "port", "6379"), "OK 6379");
  settings.onChange("port", () => {});
  assertEquals(change(settings, "port", "7000"), "OK 7000");
});

Deno.test("words of a line follow quotes and escapes", () => {
  assertEquals(splitWords("  save 900 1\t"), ["save", "900", "1"]);
  assertEquals(splitWords(`requirepass "a b\\"c\\x41\\n" 'it\\'s' ""`), ["requirepass", 'a b"cA\n', "it's", ""]);
  assertEquals(splitWords(`a"b c"`), ["ab c"]);
  assertEquals(splitWords(`"\\xc3\\xa9é"`), ["éé"]);
  assertEquals(splitWords(`"a"b`), undefined);
  assertEquals(splitWords(`"a`), undefined);
  assertEquals(splitWords(""), []);
  for (const word of ["", "a b", 'q"\\', "\x00\x07\x7f\r\n\t\b", "pässwörd"]) {
    assertEquals(splitWords(quoteWord(word)), [word]);
  }
});

Deno.test("rewriting keeps comments and order, replaces changed lines and appends the rest", () => {
  const settings = new Settings();
  settings.init("port", ["7000"]);
  settings.init("replica-priority", ["90"]);
  settings.init("maxmemory", ["200mb"]);
  settings.init("requirepass", ['a b"c']);
  settings.init("client-output-buffer-limit", ["pubsub", "1mb", "1000", "5"]);
  const text = settings.rewrite(`# my file
port 6379

slave-priority 50
maxmemory 100mb
maxmemory 150mb
timeout 0
include other.conf
rename-command FLUSHALL ""
requirepass "broken
`);
  assertEquals(
    text,
    `# my file
port 7000

replica-priority 90
maxmemory 200mb
timeout 0
include other.conf
rename-command FLUSHALL ""
# ??? requirepass "broken

# Generated by CONFIG REWRITE
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit replica 256mb 64mb 60
client-output-buffer-limit pubsub 1mb 1000 5
requirepass "a b\\"c"
`,
  );
  assertEquals(settings.rewrite(text), text);
});

Deno.test("rewriting an empty file writes what differs from the defaults, and defaults that follow count as such", () => {
  const settings = new Settings();
  assertEquals(settings.rewrite(""), "");
  settings.initDefault("aofpath", ["/data/appendonly.aof"]);
  assertEquals(settings.rewrite(""), "");
  settings.init("notify-keyspace-events", ["KEA"]);
  assertEquals(settings.rewrite(""), '# Generated by CONFIG REWRITE\nnotify-keyspace-events "AKE"\n');
});

Deno.test("a file that was rewritten gives back the same settings", () => {
  const settings = new Settings();
  const changes = {
    bind: "10.0.0.1 -::1",
    unixsocketperm: "700",
    "latency-tracking-info-percentiles": "50 99.5",
    "client-output-buffer-limit": "normal 1kb 1000 1",
    "maxmemory-policy": "allkeys-lfu",
    requirepass: "sp ace\u0000é",
    appendonly: "yes",
    "auto-aof-rewrite-min-size": "3kb",
  } as const;
  for (const [name, text] of Object.entries(changes)) {
    settings.init(name as keyof typeof changes, name === "requirepass" ? [text] : text.split(" "));
  }
  const again = new Settings();
  for (const line of settings.rewrite("").split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const [name, ...words] = splitWords(line)!;
    again.init(name as keyof typeof changes, words);
  }
  assertEquals(again.match("*"), settings.match("*"));
});

Deno.test("every setting can be set to the text that it shows", () => {
  const settings = new Settings();
  for (const { name, change } of allSettings) {
    if (change === "start" || name === "dir" || name === "dbfilename") continue;
    const text = settings.get(name)!;
    settings.change([[name, text]], true);
    assertStrictEquals(settings.get(name), text, name);
  }
});
