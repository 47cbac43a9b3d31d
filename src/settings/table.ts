/**
 * Every setting, one object each: name, kind, default, meaning, and how it may change. CONFIG, the flags, the
 * environment, config files, help and the tables in the documentation are derived from it. Names, ranges and texts are
 * Redis's. This file holds no behaviour: settings.ts holds the values, and the part of the server that acts on one
 * listens there.
 */
import { PERSONALITIES } from "../core/personality.ts";
import { compatibilitySections } from "./compatibility.ts";
import {
  addresses,
  bufferLimits,
  bytes,
  choice,
  folder,
  int,
  INT_MAX,
  type Kind,
  long,
  LONG_MAX,
  memory,
  memoryOrPercent,
  notifyClasses,
  octal,
  percentiles,
  plainName,
  portNumber,
  savePoints,
  shutdownWords,
  text,
  textOf,
  UINT_MAX,
  ULONG_MAX,
  whole,
  yesNo,
} from "./kinds.ts";
import {
  fixed,
  hidden,
  idle,
  onlyRedis,
  onlyValkey,
  type Section,
  section,
  type Setting,
  setting,
  start,
} from "./setting.ts";

export type { Setting } from "./setting.ts";

const path = textOf(/^[^]+$/, "a path can't be empty", "PATH");

const anyInt = int(-INT_MAX - 1, INT_MAX);
/** For MemDB's own settings: tools that set every setting that CONFIG GET shows to its value must not fail. */
const own = { change: "kept" } as const;

export const sections = [
  section(
    "Network",
    setting("port", portNumber, "6379", "TCP port; 0 picks a free one and prints it", { change: "listener" }),
    setting("bind", addresses, "127.0.0.1", "addresses to listen on; several may be given", {
      alias: "host",
      change: "listener",
    }),
    setting("unixsocket", text("PATH"), "", "also listen on this Unix socket", { ...start, defaultNote: "none" }),
    setting("unixsocketperm", octal, "0", "file mode of the Unix socket, in octal; 0 leaves the system's", start),
    setting("protected-mode", yesNo, "yes", "without a password, serve clients of this machine only"),
    setting("maxclients", int(1, UINT_MAX), "10000", "clients served at a time"),
    setting("timeout", whole, "0", "close a client after so many idle seconds; 0 is never"),
    setting(
      "sockets",
      choice("auto", "deno"),
      "auto",
      "auto asks the kernel itself on Linux, if FFI is permitted; deno uses Deno's sockets",
      own,
    ),
    setting("tcp-keepalive", whole, "300", "let the system probe silent connections; 0 is never"),
    setting(
      "client-output-buffer-limit",
      bufferLimits,
      "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60",
      "cut a client whose unread replies exceed HARD bytes, or SOFT bytes for SECONDS",
    ),
    setting("client-query-buffer-limit", memory(1048576, LONG_MAX), "1gb", "longest unfinished request of a client"),
    setting("proto-max-bulk-len", memory(1048576, LONG_MAX), "512mb", "longest argument and value"),
  ),
  section(
    "Persistence",
    setting("appendonly", yesNo, "no", "keep the append-only file", {
      change: "listener",
      defaultNote: "no; yes when aofpath is given",
    }),
    setting("aofpath", path, "appendonly.aof", "path of the append-only file; missing folders are made", own),
    setting("restoredb", yesNo, "yes", "load the append-only file at start; without appendonly it is only read", {
      ...own,
      defaultNote: "yes when the file exists",
    }),
    setting("seed", text("PATH"), "", "file of commands or JSON that fills the database at start if it is empty", {
      ...own,
      defaultNote: "none",
    }),
    setting(
      "ready-json",
      yesNo,
      "no",
      "print the address as one line of JSON to standard output when clients may come",
      {
        ...own,
      },
    ),
    setting(
      "appendfsync",
      choice("everysec", "always", "no"),
      "everysec",
      "when the file is synced: before each reply, every second, or by the system",
    ),
    setting(
      "appendfilename",
      plainName("appendfilename", "filename", false),
      "appendonly.aof",
      "its name in dir, unless aofpath is given",
      start,
    ),
    setting("dir", folder, ".", "folder that relative paths start from", { guarded: true, change: "listener" }),
    setting("auto-aof-rewrite-percentage", whole, "100", "rewrite the file when it grew by so much; 0 is never"),
    setting("auto-aof-rewrite-min-size", bytes, "64mb", "but not while it is smaller than this"),
    setting("aof-load-truncated", yesNo, "yes", "load a file that ends in half a command up to there"),
    setting(
      "aof-load-corrupt-tail-max-size",
      long,
      "0",
      "cut a damaged end of the file that is shorter than this many bytes; 0: never",
      onlyRedis,
    ),
    idle("no-appendfsync-on-rewrite", yesNo, "no", "the file is synced during a rewrite too"),
    setting("dbfilename", plainName("dbfilename", "filename", true), "dump.rdb", "name of snapshots in dir", {
      guarded: true,
    }),
    setting("rdbcompression", yesNo, "yes", "compress strings in snapshots and in what DUMP returns"),
    setting("rdbchecksum", yesNo, "yes", "write checksums into snapshots, and check them", start),
    setting(
      "rdb-version",
      choice("auto", "10", "11", "12", "13", "80"),
      "auto",
      "RDB version of snapshots; auto is the oldest of the personality that holds the data",
      own,
    ),
    setting("save", savePoints, "", "write a snapshot when so many SECONDS have passed and so many CHANGES were made", {
      defaultNote: "no snapshots; several pairs may be given",
    }),
    setting("stop-writes-on-bgsave-error", yesNo, "yes", "refuse writes while the snapshots of save points fail"),
    setting(
      "appenddirname",
      plainName("appenddirname", "dirname", false),
      "appendonlydir",
      "folder in dir that Redis's append-only files are loaded from",
      start,
    ),
    setting("key-load-delay", anyInt, "0", "microseconds that loading a key takes longer, for tests", hidden),
    setting("rdb-key-save-delay", anyInt, "0", "microseconds that saving a key takes longer, for tests", hidden),
    fixed("aof-timestamp-enabled", yesNo, "no", "the append-only file holds no timestamps"),
  ),
  section(
    "Clients and commands",
    setting("requirepass", text("PASSWORD"), "", "password that clients must give", {
      secret: true,
      defaultNote: "none",
    }),
    setting("aclfile", text("PATH"), "", "file with the users, for ACL LOAD and ACL SAVE", {
      ...start,
      defaultNote: "users are lines of the config file",
    }),
    setting(
      "acl-pubsub-default",
      choice("allchannels", "resetchannels"),
      "resetchannels",
      "which channels a new user may use",
    ),
    setting("acllog-max-len", long, "128", "number of entries that ACL LOG keeps"),
    setting(
      "personality",
      choice(...PERSONALITIES),
      "redis",
      "the server as which MemDB answers: Redis 8.6 or Valkey 9.1",
      own,
    ),
    setting("databases", int(1, INT_MAX), "16", "number of databases for SELECT", start),
    setting("enable-debug-command", choice("no", "yes", "local"), "no", "who may use DEBUG", start),
    setting(
      "enable-protected-configs",
      choice("no", "yes", "local"),
      "no",
      "who may change dir and dbfilename by CONFIG SET",
      start,
    ),
    setting("tracking-table-max-keys", long, "1000000", "keys that client-side caching remembers; 0 is no limit"),
    setting("busy-reply-threshold", long, "5000", "ms of a script after which other clients get BUSY; 0 is never", {
      alias: "lua-time-limit",
    }),
    setting("lua-enable-deprecated-api", yesNo, "no", "whether scripts have getfenv, setfenv and newproxy", {
      change: "start",
      hidden: true,
    }),
    setting("lua-memory-limit", memory(4 << 20, 1n << 30n), "512mb", "limit of the memory of Lua scripts"),
    idle(
      "sanitize-dump-payload",
      choice("no", "yes", "clients"),
      "no",
      "payloads are always decoded and checked",
      onlyRedis,
    ),
  ),
  section(
    "Memory and expiry",
    setting("maxmemory", memory(0, ULONG_MAX), "0", "limit of memory; 0 is none"),
    setting(
      "maxmemory-policy",
      choice(
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
        "volatile-lrm",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "allkeys-lrm",
        "noeviction",
      ),
      "noeviction",
      "which keys to evict at the limit",
    ),
    setting("import-mode", yesNo, "no", "let no key expire or be evicted while data is copied here", onlyValkey),
    setting("maxmemory-samples", int(1, 64), "5", "keys compared to evict one"),
    setting("maxmemory-eviction-tenacity", int(0, 100), "10", "how long eviction may delay a command"),
    setting(
      "maxmemory-clients",
      memoryOrPercent,
      "0",
      "limit of memory for all clients, in bytes or percent; 0 is none",
    ),
    setting("lfu-log-factor", whole, "10", "how slowly the access counter of LFU grows"),
    setting("lfu-decay-time", whole, "1", "minutes after which it halves"),
    setting("startexpiryloop", yesNo, "yes", "remove expired keys in the background; else they go when touched"),
    setting(
      "lazyexpire-nested-arbitrary-keys",
      yesNo,
      "yes",
      "SCAN and RANDOMKEY within a transaction remove the expired keys that they meet",
      hidden,
    ),
    setting("active-expire-effort", int(1, 10), "1", "share of time spent on that, from 1 to 10"),
    setting("hz", int(0, INT_MAX, [1, 500]), "10", "rounds of background work per second"),
    idle("dynamic-hz", yesNo, "yes", "the rounds do not grow with the clients", onlyRedis),
  ),
  section(
    "Logging and monitoring",
    setting(
      "loglevel",
      choice("debug", "verbose", "notice", "warning", "nothing"),
      "notice",
      "least important message that is logged",
    ),
    setting("logfile", text("PATH"), "", "where the log goes", { ...start, defaultNote: "stderr" }),
    setting(
      "slowlog-log-slower-than",
      int(-1, LONG_MAX),
      "10000",
      "microseconds that make a command slow; -1 is never",
      { valkeyName: "commandlog-execution-slower-than" },
    ),
    setting("slowlog-max-len", long, "128", "slow commands remembered", {
      valkeyName: "commandlog-slow-execution-max-len",
    }),
    setting(
      "commandlog-request-larger-than",
      int(-1, LONG_MAX),
      "1048576",
      "bytes that make a request large for COMMANDLOG; -1 is never",
      onlyValkey,
    ),
    setting("commandlog-large-request-max-len", long, "128", "large requests remembered", onlyValkey),
    setting(
      "commandlog-reply-larger-than",
      int(-1, LONG_MAX),
      "1048576",
      "bytes that make a reply large for COMMANDLOG; -1 is never",
      onlyValkey,
    ),
    setting("commandlog-large-reply-max-len", long, "128", "large replies remembered", onlyValkey),
    setting("latency-tracking", yesNo, "yes", "keep the latency of each command"),
    setting("latency-tracking-info-percentiles", percentiles, "50 99 99.9", "percentiles shown by INFO latencystats"),
    setting("notify-keyspace-events", notifyClasses, "", "classes of keyspace events that are published"),
    setting("latency-monitor-threshold", long, "0", "milliseconds that make an event of LATENCY; 0 is never"),
  ),
  section(
    "Encodings of values",
    setting(
      "list-max-listpack-size",
      int(-INT_MAX - 1, INT_MAX),
      "-2",
      "elements in a list's node; -1 to -5: 4 to 64 KiB",
      {
        alias: "list-max-ziplist-size",
      },
    ),
    setting("hash-max-listpack-entries", long, "512", "fields up to which a hash is packed", {
      alias: "hash-max-ziplist-entries",
    }),
    setting("hash-max-listpack-value", bytes, "64", "longest field or value of a packed hash", {
      alias: "hash-max-ziplist-value",
    }),
    setting("set-max-intset-entries", long, "512", "integers up to which a set is an array of integers"),
    setting("set-max-listpack-entries", long, "128", "members up to which a set is packed"),
    setting("set-max-listpack-value", long, "64", "longest member of a packed set"),
    setting("zset-max-listpack-entries", long, "128", "members up to which a sorted set is packed", {
      alias: "zset-max-ziplist-entries",
    }),
    setting("zset-max-listpack-value", bytes, "64", "longest member of a packed sorted set", {
      alias: "zset-max-ziplist-value",
    }),
    setting("hll-sparse-max-bytes", bytes, "3000", "size up to which a HyperLogLog is sparse"),
    setting("stream-node-max-bytes", bytes, "4096", "bytes of a stream's block of entries; 0 is no limit"),
    setting(
      "stream-node-max-entries",
      long,
      "100",
      "entries of a stream's block, deleted ones included; 0 is no limit",
    ),
    setting(
      "stream-idmp-duration",
      int(1, 86400),
      "100",
      "seconds for which a new stream knows its producers' messages",
      onlyRedis,
    ),
    setting(
      "stream-idmp-maxsize",
      int(1, 10000),
      "100",
      "messages that a new stream knows of each producer",
      onlyRedis,
    ),
  ),
  section(
    "Process",
    setting("pidfile", text("PATH"), "", "file that holds the process's number while the server runs", {
      ...start,
      defaultNote: "none",
    }),
    setting("shutdown-on-sigint", shutdownWords, "default", "options of SHUTDOWN that SIGINT implies"),
    setting("shutdown-on-sigterm", shutdownWords, "default", "options of SHUTDOWN that SIGTERM implies"),
  ),
  ...compatibilitySections,
] as const satisfies readonly Section[];

/** The settings as one union, which the types of names and values are made from. */
export type AnySetting = typeof sections[number]["settings"][number];
export type SettingName = AnySetting["name"];

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type ValueOfKind<S> = S extends { readonly kind: Kind<infer V> } ? V : never;
export type SettingValue<N extends SettingName> = ValueOfKind<Extract<AnySetting, { readonly name: N }>>;

/** The values in force, by name in camel case: `values.maxmemoryPolicy`. Plain fields, for hot code. */
export type SettingValues = { readonly [N in SettingName as Camel<N>]: SettingValue<N> };

/** The field of SettingValues that belongs to a name. */
export function camelCase(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

export const allSettings: readonly Setting[] = sections.flatMap((section): readonly Setting[] => section.settings);
