/**
 * The config files that Redis 6.0 to 8.6 and Valkey 7.2 to 9.1 ship start MemDB unchanged. Their active lines stand
 * here as a table of facts: the directive with its value, and the versions that have it.
 */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseServeOptions, type ServeOptions, UsageError } from "../../src/server/options.ts";
import { machine } from "./machine.ts";

const REDIS = ["6.0", "6.2", "7.0", "7.2", "7.4", "8.0", "8.2", "8.4", "8.6"] as const;
const VALKEY = ["7.2", "8.0", "8.1", "9.0", "9.1"] as const;

/** Versions from the first to the last, both with the line; "" on the left is the oldest, on the right the newest. */
type Range = readonly [string, string];
const ALL: Range = ["", ""];

/** Lines with the versions of Redis and of Valkey that have them; undefined for none. */
const LINES: readonly (readonly [string, Range | undefined, Range | undefined])[] = [
  ["bind 127.0.0.1", ["", "6.0"], undefined],
  ["bind 127.0.0.1 -::1", ["6.2", ""], ALL],
  ["protected-mode yes", ALL, ALL],
  ["port 6379", ALL, ALL],
  ["tcp-backlog 511", ALL, ALL],
  ["timeout 0", ALL, ALL],
  ["tcp-keepalive 300", ALL, ALL],
  ["daemonize no", ALL, ALL],
  ["supervised no", ["", "6.0"], undefined],
  ["pidfile /var/run/redis_6379.pid", ALL, undefined],
  ["pidfile /var/run/valkey_6379.pid", undefined, ALL],
  ["loglevel notice", ALL, ALL],
  ['logfile ""', ALL, ALL],
  ["databases 16", ALL, ALL],
  ["always-show-logo yes", ["", "6.0"], undefined],
  ["always-show-logo no", ["6.2", ""], ALL],
  ["hide-user-data-from-log yes", undefined, ["8.0", ""]],
  ["set-proc-title yes", ["6.2", ""], ALL],
  ['proc-title-template "{title} {listen-addr} {server-mode}"', ["6.2", ""], ALL],
  ['locale-collate ""', ["7.2", ""], ALL],
  ["save 900 1", ["", "6.0"], undefined],
  ["save 300 10", ["", "6.0"], undefined],
  ["save 60 10000", ["", "6.0"], undefined],
  ["stop-writes-on-bgsave-error yes", ALL, ALL],
  ["rdbcompression yes", ALL, ALL],
  ["rdbchecksum yes", ALL, ALL],
  ["dbfilename dump.rdb", ALL, ALL],
  ["rdb-del-sync-files no", ALL, ALL],
  ["dir ./", ALL, ALL],
  ["replica-serve-stale-data yes", ALL, ALL],
  ["replica-read-only yes", ALL, ALL],
  ["repl-diskless-sync no", ["", "6.2"], undefined],
  ["repl-diskless-sync yes", ["7.0", ""], ALL],
  ["repl-diskless-sync-delay 5", ALL, ALL],
  ["repl-diskless-sync-max-replicas 0", ["7.0", ""], ALL],
  ["repl-diskless-load disabled", ALL, ALL],
  ["dual-channel-replication-enabled no", undefined, ["8.0", ""]],
  ["repl-disable-tcp-nodelay no", ALL, ALL],
  ["replica-priority 100", ALL, ALL],
  ["acllog-max-len 128", ALL, ALL],
  ["lazyfree-lazy-eviction no", ALL, ["", "7.2"]],
  ["lazyfree-lazy-expire no", ALL, ["", "7.2"]],
  ["lazyfree-lazy-server-del no", ALL, ["", "7.2"]],
  ["replica-lazy-flush no", ALL, ["", "7.2"]],
  ["lazyfree-lazy-user-del no", ALL, ["", "7.2"]],
  ["lazyfree-lazy-user-flush no", ["6.2", ""], ["", "7.2"]],
  ["lazyfree-lazy-eviction yes", undefined, ["8.0", ""]],
  ["lazyfree-lazy-expire yes", undefined, ["8.0", ""]],
  ["lazyfree-lazy-server-del yes", undefined, ["8.0", ""]],
  ["replica-lazy-flush yes", undefined, ["8.0", ""]],
  ["lazyfree-lazy-user-del yes", undefined, ["8.0", ""]],
  ["lazyfree-lazy-user-flush yes", undefined, ["8.0", ""]],
  ["oom-score-adj no", ALL, ALL],
  ["oom-score-adj-values 0 200 800", ALL, ALL],
  ["disable-thp yes", ["6.2", ""], ALL],
  ["appendonly no", ALL, ALL],
  ['appendfilename "appendonly.aof"', ALL, ALL],
  ['appenddirname "appendonlydir"', ["7.0", ""], ALL],
  ["appendfsync everysec", ALL, ALL],
  ["no-appendfsync-on-rewrite no", ALL, ALL],
  ["auto-aof-rewrite-percentage 100", ALL, ALL],
  ["auto-aof-rewrite-min-size 64mb", ALL, ALL],
  ["aof-load-truncated yes", ALL, ALL],
  ["aof-use-rdb-preamble yes", ALL, ALL],
  ["aof-timestamp-enabled no", ["7.0", ""], ALL],
  ["lua-time-limit 5000", ["", "6.2"], undefined],
  ["slowlog-log-slower-than 10000", ALL, ["", "8.0"]],
  ["slowlog-max-len 128", ALL, ["", "8.0"]],
  ["commandlog-execution-slower-than 10000", undefined, ["8.1", ""]],
  ["commandlog-slow-execution-max-len 128", undefined, ["8.1", ""]],
  ["commandlog-request-larger-than 1048576", undefined, ["8.1", ""]],
  ["commandlog-large-request-max-len 128", undefined, ["8.1", ""]],
  ["commandlog-reply-larger-than 1048576", undefined, ["8.1", ""]],
  ["commandlog-large-reply-max-len 128", undefined, ["8.1", ""]],
  ["latency-monitor-threshold 0", ALL, ALL],
  ['notify-keyspace-events ""', ALL, ALL],
  ["hash-max-ziplist-entries 512", ["", "6.2"], undefined],
  ["hash-max-ziplist-value 64", ["", "6.2"], undefined],
  ["hash-max-listpack-entries 512", ["7.0", ""], ALL],
  ["hash-max-listpack-value 64", ["7.0", ""], ALL],
  ["list-max-ziplist-size -2", ["", "6.2"], undefined],
  ["list-max-listpack-size -2", ["7.0", ""], ALL],
  ["list-compress-depth 0", ALL, ALL],
  ["set-max-intset-entries 512", ALL, ALL],
  ["set-max-listpack-entries 128", ["7.2", ""], ALL],
  ["set-max-listpack-value 64", ["7.2", ""], ALL],
  ["zset-max-ziplist-entries 128", ["", "6.2"], undefined],
  ["zset-max-ziplist-value 64", ["", "6.2"], undefined],
  ["zset-max-listpack-entries 128", ["7.0", ""], ALL],
  ["zset-max-listpack-value 64", ["7.0", ""], ALL],
  ["hll-sparse-max-bytes 3000", ALL, ALL],
  ["stream-node-max-bytes 4096", ALL, ALL],
  ["stream-node-max-entries 100", ALL, ALL],
  ["activerehashing yes", ALL, ALL],
  ["client-output-buffer-limit normal 0 0 0", ALL, ALL],
  ["client-output-buffer-limit replica 256mb 64mb 60", ALL, ALL],
  ["client-output-buffer-limit pubsub 32mb 8mb 60", ALL, ALL],
  ["hz 10", ALL, ALL],
  ["dynamic-hz yes", ALL, ALL],
  ["aof-rewrite-incremental-fsync yes", ALL, ALL],
  ["rdb-save-incremental-fsync yes", ALL, ALL],
  ["jemalloc-bg-thread yes", ALL, ["", "9.0"]],
];

function stockLines(versions: readonly string[], version: string, column: 1 | 2): string[] {
  const at = versions.indexOf(version);
  return LINES.filter((line) => {
    const range = line[column];
    if (range === undefined) return false;
    const [from, to] = range;
    return (from === "" || versions.indexOf(from) <= at) && (to === "" || at <= versions.indexOf(to));
  }).map(([text]) => text);
}

function start(lines: readonly string[]): ServeOptions {
  return parseServeOptions(["stock.conf"], machine({ "stock.conf": lines.join("\n") }));
}

const stock = [
  ...REDIS.map((version) => [`Redis ${version}`, stockLines(REDIS, version, 1)] as const),
  ...VALKEY.map((version) => [`Valkey ${version}`, stockLines(VALKEY, version, 2)] as const),
];

for (const [name, lines] of stock) {
  Deno.test(`the config file that ${name} ships starts MemDB, with one line for all that stands at its default`, () => {
    const { settings, warnings } = start(lines);
    assertEquals(settings.values.port, 6379);
    assertEquals(settings.values.pidfile.startsWith("/var/run/"), true);
    assertStringIncludes(
      warnings.at(-1)!,
      "without effect, at their defaults (see memdb help settings): tcp-backlog, ",
    );
    for (const warning of warnings.slice(0, -1)) assertStringIncludes(warning, " has no effect: ");
    // What the file says of a setting with an effect is what the server does.
    assertEquals(settings.values.bind, name === "Redis 6.0" ? ["127.0.0.1"] : ["127.0.0.1", "-::1"]);
    assertEquals(settings.values.slowlogLogSlowerThan, 10000);
    assertEquals(settings.values.hashMaxListpackEntries, 512);
    assertEquals(settings.values.listMaxListpackSize, -2);
  });
}

Deno.test("every line without effect that has a value of its own is named, with file, line and reason", () => {
  const { warnings } = start(["io-threads 4", "daemonize yes", "tcp-backlog 511", "# hz 1", "supervised systemd"]);
  assertEquals(warnings, [
    "stock.conf, line 1: io-threads 4 has no effect: commands and connections share one thread",
    "stock.conf, line 2: daemonize yes has no effect: MemDB stays in the foreground; a service manager or a shell's & " +
    "sends it back",
    "stock.conf, line 5: supervised systemd has no effect: MemDB notifies no supervisor; a unit of systemd needs " +
    "Type=simple",
    "without effect, at their defaults (see memdb help settings): tcp-backlog",
  ]);
});

/** Directives that change which data is kept or who gets in. */
const REFUSED: Readonly<Record<string, string>> = {
  "loadmodule /usr/lib/module.so": "MemDB loads no modules",
  "rename-command CONFIG b840fc02": "MemDB renames no commands",
  "sentinel monitor m 127.0.0.1 6379 2": "MemDB is no sentinel",
  "replicaof 10.0.0.1 6379": "MemDB has no replicas",
  "slaveof 10.0.0.1 6379": "MemDB has no replicas",
  "masteruser repl": "MemDB has no replicas",
  "min-replicas-to-write 1": "MemDB has no replicas",
  "cluster-enabled yes": "MemDB is a single node",
  "tls-port 6380": "MemDB does not speak TLS; put a TLS proxy in front of it",
  "tls-replication yes": "MemDB does not speak TLS; put a TLS proxy in front of it",
  "socket-mark-id 7": "sockets are not marked",
  "unixsocketgroup wheel": "the Unix socket keeps its group; set unixsocketperm",
  "rdma-port 6380": "MemDB does not speak RDMA",
};

Deno.test("what would change the data that is kept or who gets in is refused, all of it at once", () => {
  const lines = Object.keys(REFUSED);
  const { message } = assertThrows(() => start([...lines, "hz 20", "masterauth secret", "port x"]), UsageError);
  const problems = message.split("\n").sort();
  const expected = lines.map((line, i) => {
    const shown = Object.hasOwn(SHOWN_BY_NAME, line.split(" ")[0]) ? line.split(" ")[0] : line;
    const hidden = shown.startsWith("masteruser") ? "masteruser" : shown;
    return `stock.conf, line ${i + 1}: ${hidden} is not supported: ${REFUSED[line]}; remove the line`;
  }).filter((line) => !line.includes("replicaof 10.0.0.1"));
  expected.push(
    `stock.conf, line ${lines.length + 2}: masterauth is not supported: MemDB has no replicas; remove the line`,
    `stock.conf, line ${lines.length + 3}: bad value 'x' for port: argument couldn't be parsed into an integer`,
  );
  assertEquals(problems, expected.sort());
  assertEquals(message.includes("secret"), false);
});

/** Directives that are no settings: their words are not repeated. */
const SHOWN_BY_NAME = { loadmodule: true, "rename-command": true, sentinel: true };

Deno.test("the same lines at Redis's defaults are accepted", () => {
  start(["replicaof no one", "cluster-enabled no", "tls-port 0", 'masterauth ""', "min-replicas-to-write 0"]);
});
