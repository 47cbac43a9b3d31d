/**
 * Every setting there is, one object each: name, kind, default, meaning, and how it may change. CONFIG, the flags, the
 * environment, config files, help and docs/settings.md are all derived from this. It refuses behaviour: settings.ts
 * holds values, and whoever acts on one listens there.
 *
 * Redis's names, ranges and texts throughout. A setting is in one of three states. Most do what they say. An `idle` one
 * tunes work that MemDB does not have: any value is kept and shown, and nothing was promised by it. A `fixed` one would
 * promise something that MemDB does not do: every value but the default is refused, with the reason.
 */
import {
  addresses,
  bufferLimits,
  choice,
  folder,
  int,
  INT_MAX,
  type Kind,
  locale,
  LONG_MAX,
  memory,
  memoryOrPercent,
  notifyClasses,
  octal,
  oomAdjustments,
  percentiles,
  plainName,
  savePoints,
  shutdownWords,
  text,
  textOf,
  titleTemplate,
  UINT_MAX,
  ULONG_MAX,
  yesNo,
} from "./kinds.ts";

export interface SettingTraits {
  /** A second name that means the same: an older one, or a shorter. */
  readonly alias?: string;
  /**
   * When it may change while the server runs: at any time unless given; "start" never; "listener" if some part of the
   * server listens for it, because the value alone would change nothing.
   */
  readonly change?: "start" | "listener";
  /** Changes only as enable-protected-configs allows. */
  readonly guarded?: true;
  /** Its value is not shown in logs, the slow log or MONITOR. */
  readonly secret?: true;
  /** Why it has no effect. */
  readonly idle?: string;
  /** Why no value but the default is accepted. */
  readonly fixed?: string;
  /** What help says of the default, where the text alone would mislead. */
  readonly defaultNote?: string;
}

export interface Setting<N extends string = string, V = unknown> extends SettingTraits {
  readonly name: N;
  readonly kind: Kind<V>;
  /** As in a config file; of a kind of many words the words with single spaces. */
  readonly initial: string;
  readonly meaning: string;
}

/** Settings that belong together in help. */
export interface Section<S extends readonly Setting[] = readonly Setting[]> {
  readonly title: string;
  readonly settings: S;
}

function setting<const N extends string, V>(
  name: N,
  kind: Kind<V>,
  initial: string,
  meaning: string,
  traits: SettingTraits = {},
): Setting<N, V> {
  return { name, kind, initial, meaning, ...traits };
}

function idle<const N extends string, V>(
  name: N,
  kind: Kind<V>,
  initial: string,
  reason: string,
  traits: SettingTraits = {},
): Setting<N, V> {
  return { name, kind, initial, meaning: `no effect: ${reason}`, ...traits, idle: reason };
}

function fixed<const N extends string, V>(
  name: N,
  kind: Kind<V>,
  initial: string,
  reason: string,
  traits: SettingTraits = {},
): Setting<N, V> {
  return { name, kind, initial, meaning: `${initial || '""'} only: ${reason}`, ...traits, fixed: reason };
}

function section<const S extends readonly Setting[]>(title: string, ...settings: S): Section<S> {
  return { title, settings };
}

const path = textOf(/^[^]+$/, "a path can't be empty", "PATH");
const hostname = textOf(/^[A-Za-z0-9.-]*$/, "Hostnames may only contain alphanumeric characters, hyphens or dots");
const nodeName = textOf(/^[^!#$%&()*+:;<>?@[\]^{|}~]*$/, "Announced human node name contained invalid character");
const whole = int(0, INT_MAX);
const long = int(0, LONG_MAX);
const bytes = memory(0, LONG_MAX);
const portNumber = int(0, 65535, undefined, "PORT");
const start = { change: "start" } as const;

const NO_REPLICAS = "MemDB has no replicas";
const NO_CLUSTER = "MemDB is a single node";
const NO_TLS = "MemDB does not speak TLS; put a TLS proxy in front of it";
const NO_SNAPSHOTS = "MemDB writes no snapshots by itself";
const NO_STREAMS = "there are no streams yet";
const NO_DEFRAG = "the allocator does not fragment in the way that this tunes";
const NO_ACL_FILE = "users come from requirepass alone";
const FREED_AT_ONCE = "memory is freed in bounded steps anyway";
const ONE_THREAD = "commands and connections share one thread";
const ONE_FILE = "the append-only file is one file of commands";
const NO_PINNING = "threads are left to the operating system";
const SERVICE_MANAGER = "run MemDB under a service manager, which does this";

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
      start,
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
    setting("aofpath", path, "appendonly.aof", "path of the append-only file; missing folders are made", start),
    setting("restoredb", yesNo, "yes", "load the append-only file at start; without appendonly it is only read", {
      ...start,
      defaultNote: "yes when the file exists",
    }),
    setting("seed", text("PATH"), "", "file of commands or JSON that fills the database at start if it is empty", {
      ...start,
      defaultNote: "none",
    }),
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
    idle("no-appendfsync-on-rewrite", yesNo, "no", "the file is synced during a rewrite too"),
    setting("dbfilename", plainName("dbfilename", "filename", true), "dump.rdb", "name of snapshots in dir", {
      guarded: true,
    }),
    setting("rdbcompression", yesNo, "yes", "compress strings in snapshots and in what DUMP returns"),
    setting("rdbchecksum", yesNo, "yes", "write checksums into snapshots, and check them", start),
    fixed("save", savePoints, "", `${NO_SNAPSHOTS}; use appendonly yes, or send BGSAVE`),
    fixed("aof-timestamp-enabled", yesNo, "no", "the append-only file holds no timestamps"),
  ),
  section(
    "Clients and commands",
    setting("requirepass", text("PASSWORD"), "", "password that clients must give", {
      secret: true,
      defaultNote: "none",
    }),
    setting("databases", int(1, INT_MAX), "16", "number of databases for SELECT", start),
    setting("enable-debug-command", choice("no", "yes", "local"), "no", "who may use DEBUG", start),
    setting(
      "enable-protected-configs",
      choice("no", "yes", "local"),
      "no",
      "who may change dir and dbfilename by CONFIG SET",
      start,
    ),
    idle("notify-keyspace-events", notifyClasses, "", "changes of keys are not published yet"),
    idle("tracking-table-max-keys", long, "1000000", "there is no client-side caching yet"),
    idle("busy-reply-threshold", long, "5000", "there are no scripts yet", { alias: "lua-time-limit" }),
    idle("sanitize-dump-payload", choice("no", "yes", "clients"), "no", "payloads are always decoded and checked"),
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
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "noeviction",
      ),
      "noeviction",
      "which keys to evict at the limit",
    ),
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
    setting("active-expire-effort", int(1, 10), "1", "share of time spent on that, from 1 to 10"),
    setting("hz", int(0, INT_MAX, [1, 500]), "10", "rounds of background work per second"),
    idle("dynamic-hz", yesNo, "yes", "the rounds do not grow with the clients"),
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
    ),
    setting("slowlog-max-len", long, "128", "slow commands remembered"),
    setting("latency-tracking", yesNo, "yes", "keep the latency of each command"),
    setting("latency-tracking-info-percentiles", percentiles, "50 99 99.9", "percentiles shown by INFO latencystats"),
    idle("latency-monitor-threshold", long, "0", "there is no latency monitor yet"),
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
    idle("stream-node-max-bytes", bytes, "4096", NO_STREAMS),
    idle("stream-node-max-entries", long, "100", NO_STREAMS),
  ),
  section(
    "Kept for tools that read or write them",
    fixed("daemonize", yesNo, "no", "MemDB stays in the foreground; use a service manager or a shell's &", start),
    fixed("supervised", choice("upstart", "systemd", "auto", "no"), "no", "MemDB notifies no supervisor", start),
    fixed("pidfile", text("PATH"), "", SERVICE_MANAGER, start),
    fixed("syslog-enabled", yesNo, "no", "log to a file or stderr", start),
    idle("syslog-ident", text(), "redis", "there is no syslog", start),
    idle(
      "syslog-facility",
      choice("user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
      "local0",
      "there is no syslog",
      start,
    ),
    fixed("oom-score-adj", choice("no", "yes", "relative", "absolute"), "no", SERVICE_MANAGER),
    idle("oom-score-adj-values", oomAdjustments, "0 200 800", "oom-score-adj is off"),
    idle("disable-thp", yesNo, "yes", "MemDB does not fork", start),
    idle("set-proc-title", yesNo, "yes", "the process keeps its title", start),
    idle("proc-title-template", titleTemplate, "{title} {listen-addr} {server-mode}", "the process keeps its title"),
    idle("always-show-logo", yesNo, "no", "there is no logo", start),
    idle("locale-collate", locale, "", "text is compared by bytes"),
    idle("crash-log-enabled", yesNo, "yes", "a failed assertion is always reported"),
    idle("crash-memcheck-enabled", yesNo, "yes", "there is no memory check"),
    idle("hide-user-data-from-log", yesNo, "no", "the log never shows it"),
    idle("ignore-warnings", text(), "", "no warning stops the start"),
    fixed("enable-module-command", choice("no", "yes", "local"), "no", "MemDB loads no modules", start),
    fixed("bind-source-addr", text("ADDRESS"), "", NO_REPLICAS),
    fixed("socket-mark-id", int(0, UINT_MAX), "0", "sockets are not marked", start),
    idle("tcp-backlog", whole, "511", "the system's own backlog is used", start),
    idle("max-new-connections-per-cycle", int(1, 1000), "10", "connections are accepted as they come"),
    idle("max-new-tls-connections-per-cycle", int(1, 1000), "1", NO_TLS),
    idle("io-threads", int(1, 128), "1", ONE_THREAD, start),
    idle("server-cpulist", text(), "", NO_PINNING, { ...start, alias: "server_cpulist" }),
    idle("bio-cpulist", text(), "", NO_PINNING, { ...start, alias: "bio_cpulist" }),
    idle("aof-rewrite-cpulist", text(), "", NO_PINNING, { ...start, alias: "aof_rewrite_cpulist" }),
    idle("bgsave-cpulist", text(), "", NO_PINNING, { ...start, alias: "bgsave_cpulist" }),
    fixed("shutdown-on-sigint", shutdownWords, "default", "a signal always stops the server in order"),
    fixed("shutdown-on-sigterm", shutdownWords, "default", "a signal always stops the server in order"),
    idle("shutdown-timeout", whole, "10", NO_REPLICAS),
    idle("list-compress-depth", whole, "0", "lists are not compressed"),
    idle("activerehashing", yesNo, "yes", "tables grow step by step anyway"),
    idle("lazyfree-lazy-eviction", yesNo, "no", FREED_AT_ONCE),
    idle("lazyfree-lazy-expire", yesNo, "no", FREED_AT_ONCE),
    idle("lazyfree-lazy-server-del", yesNo, "no", FREED_AT_ONCE),
    idle("lazyfree-lazy-user-del", yesNo, "no", FREED_AT_ONCE),
    idle("lazyfree-lazy-user-flush", yesNo, "no", FREED_AT_ONCE),
    fixed("activedefrag", yesNo, "no", NO_DEFRAG),
    idle("active-defrag-cycle-min", int(1, 99), "1", NO_DEFRAG),
    idle("active-defrag-cycle-max", int(1, 99), "25", NO_DEFRAG),
    idle("active-defrag-ignore-bytes", memory(1, LONG_MAX), "100mb", NO_DEFRAG),
    idle("active-defrag-max-scan-fields", int(1, LONG_MAX), "1000", NO_DEFRAG),
    idle("active-defrag-threshold-lower", int(0, 1000), "10", NO_DEFRAG),
    idle("active-defrag-threshold-upper", int(0, 1000), "100", NO_DEFRAG),
    idle("jemalloc-bg-thread", yesNo, "yes", "there is no jemalloc"),
    fixed("aclfile", text("PATH"), "", NO_ACL_FILE, start),
    fixed("acl-pubsub-default", choice("allchannels", "resetchannels"), "resetchannels", NO_ACL_FILE),
    idle("acllog-max-len", long, "128", NO_ACL_FILE),
    idle("appenddirname", plainName("appenddirname", "dirname", false), "appendonlydir", ONE_FILE, start),
    idle("aof-use-rdb-preamble", yesNo, "yes", ONE_FILE),
    idle("aof-rewrite-incremental-fsync", yesNo, "yes", "a rewrite syncs as it goes anyway"),
    idle("rdb-save-incremental-fsync", yesNo, "yes", "a snapshot is synced when it is whole"),
    idle("rdb-del-sync-files", yesNo, "no", NO_REPLICAS),
    idle("stop-writes-on-bgsave-error", yesNo, "yes", NO_SNAPSHOTS),
  ),
  section(
    "Kept for tools that read or write them: replication, cluster, TLS",
    fixed("replicaof", text(), "", NO_REPLICAS, { ...start, alias: "slaveof" }),
    fixed("masterauth", text(), "", NO_REPLICAS, { secret: true }),
    fixed("masteruser", text(), "", NO_REPLICAS, { secret: true }),
    fixed("min-replicas-to-write", whole, "0", NO_REPLICAS, { alias: "min-slaves-to-write" }),
    idle("min-replicas-max-lag", whole, "10", NO_REPLICAS, { alias: "min-slaves-max-lag" }),
    idle("repl-backlog-size", memory(1, LONG_MAX, 16384), "1mb", NO_REPLICAS),
    idle("repl-backlog-ttl", long, "3600", NO_REPLICAS),
    idle("repl-disable-tcp-nodelay", yesNo, "no", NO_REPLICAS),
    idle("repl-diskless-load", choice("disabled", "on-empty-db", "swapdb"), "disabled", NO_REPLICAS),
    idle("repl-diskless-sync", yesNo, "yes", NO_REPLICAS),
    idle("repl-diskless-sync-delay", whole, "5", NO_REPLICAS),
    idle("repl-diskless-sync-max-replicas", whole, "0", NO_REPLICAS),
    idle("repl-ping-replica-period", int(1, INT_MAX), "10", NO_REPLICAS, { alias: "repl-ping-slave-period" }),
    idle("repl-timeout", int(1, INT_MAX), "60", NO_REPLICAS),
    idle("replica-announce-ip", text(), "", NO_REPLICAS, { alias: "slave-announce-ip" }),
    idle("replica-announce-port", portNumber, "0", NO_REPLICAS, { alias: "slave-announce-port" }),
    idle("replica-announced", yesNo, "yes", NO_REPLICAS),
    idle("replica-full-sync-buffer-limit", bytes, "0", NO_REPLICAS),
    idle("replica-ignore-disk-write-errors", yesNo, "no", NO_REPLICAS),
    idle("replica-ignore-maxmemory", yesNo, "yes", NO_REPLICAS, { alias: "slave-ignore-maxmemory" }),
    idle("replica-lazy-flush", yesNo, "no", NO_REPLICAS, { alias: "slave-lazy-flush" }),
    idle("replica-priority", whole, "100", NO_REPLICAS, { alias: "slave-priority" }),
    idle("replica-read-only", yesNo, "yes", NO_REPLICAS, { alias: "slave-read-only" }),
    idle("replica-serve-stale-data", yesNo, "yes", NO_REPLICAS, { alias: "slave-serve-stale-data" }),
    idle("propagation-error-behavior", choice("ignore", "panic", "panic-on-replicas"), "ignore", NO_REPLICAS),
    fixed("cluster-enabled", yesNo, "no", NO_CLUSTER, start),
    idle("cluster-allow-pubsubshard-when-down", yesNo, "yes", NO_CLUSTER),
    idle("cluster-allow-reads-when-down", yesNo, "no", NO_CLUSTER),
    idle("cluster-allow-replica-migration", yesNo, "yes", NO_CLUSTER),
    idle("cluster-announce-bus-port", portNumber, "0", NO_CLUSTER),
    idle("cluster-announce-hostname", hostname, "", NO_CLUSTER),
    idle("cluster-announce-human-nodename", nodeName, "", NO_CLUSTER),
    idle("cluster-announce-ip", text(), "", NO_CLUSTER),
    idle("cluster-announce-port", portNumber, "0", NO_CLUSTER),
    idle("cluster-announce-tls-port", portNumber, "0", NO_CLUSTER),
    idle("cluster-compatibility-sample-ratio", int(0, 100), "0", NO_CLUSTER),
    idle("cluster-config-file", text(), "nodes.conf", NO_CLUSTER, start),
    idle("cluster-link-sendbuf-limit", memory(0, ULONG_MAX), "0", NO_CLUSTER),
    idle("cluster-migration-barrier", whole, "1", NO_CLUSTER),
    idle("cluster-node-timeout", long, "15000", NO_CLUSTER),
    idle("cluster-port", portNumber, "0", NO_CLUSTER, start),
    idle("cluster-preferred-endpoint-type", choice("ip", "hostname", "unknown-endpoint"), "ip", NO_CLUSTER),
    idle("cluster-replica-no-failover", yesNo, "no", NO_CLUSTER, { alias: "cluster-slave-no-failover" }),
    idle("cluster-replica-validity-factor", whole, "10", NO_CLUSTER, { alias: "cluster-slave-validity-factor" }),
    idle("cluster-require-full-coverage", yesNo, "yes", NO_CLUSTER),
    fixed("tls-port", portNumber, "0", NO_TLS),
    fixed("tls-cluster", yesNo, "no", NO_TLS),
    fixed("tls-replication", yesNo, "no", NO_TLS),
    idle("tls-auth-clients", choice("no", "yes", "optional"), "yes", NO_TLS),
    idle("tls-ca-cert-dir", text("PATH"), "", NO_TLS),
    idle("tls-ca-cert-file", text("PATH"), "", NO_TLS),
    idle("tls-cert-file", text("PATH"), "", NO_TLS),
    idle("tls-ciphers", text(), "", NO_TLS),
    idle("tls-ciphersuites", text(), "", NO_TLS),
    idle("tls-client-cert-file", text("PATH"), "", NO_TLS),
    idle("tls-client-key-file", text("PATH"), "", NO_TLS),
    idle("tls-client-key-file-pass", text(), "", NO_TLS, { secret: true }),
    idle("tls-dh-params-file", text("PATH"), "", NO_TLS),
    idle("tls-key-file", text("PATH"), "", NO_TLS),
    idle("tls-key-file-pass", text(), "", NO_TLS, { secret: true }),
    idle("tls-prefer-server-ciphers", yesNo, "no", NO_TLS),
    idle("tls-protocols", text(), "", NO_TLS),
    idle("tls-session-cache-size", whole, "20480", NO_TLS),
    idle("tls-session-cache-timeout", whole, "300", NO_TLS),
    idle("tls-session-caching", yesNo, "yes", NO_TLS),
  ),
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
