/**
 * The client's flags: their names, values, meaning and help text in one array. Parses the command line and the
 * environment into Options; it connects to nothing and prints nothing.
 */
import { nearest } from "../core/nearest.ts";
import { wrapWords } from "../core/wrap.ts";
import { fromText, toText } from "./binary.ts";
import { type Options, UsageError } from "./options.ts";
import { splitArguments } from "./quoting.ts";

interface Flag {
  readonly names: readonly string[];
  /** Names its value in the help; undefined for a flag without a value. */
  readonly value?: string;
  readonly help: string;
  /** `value` is a byte string. */
  readonly apply: (options: Options, value: string, name: string) => void;
}

const flags: readonly Flag[] = [
  { names: ["-h"], value: "host", help: "server's name or address (127.0.0.1)", apply: (o, v) => o.host = toText(v) },
  {
    names: ["-p"],
    value: "port",
    help: "server's port (6379)",
    apply: (o, v, name) => o.port = integer(name, v, 1, 65535),
  },
  {
    names: ["-t"],
    value: "seconds",
    help: "longest time that connecting may take (0: no limit)",
    apply: (o, v, name) => o.connectTimeoutMs = seconds(name, v),
  },
  {
    names: ["-s"],
    value: "path",
    help: "server's Unix socket, instead of host and port",
    apply: (o, v) => o.socket = toText(v),
  },
  {
    names: ["-u"],
    value: "url",
    help: "redis://user:password@host:port/db; rediss:// for TLS",
    apply: (o, v, name) => applyUrl(o, v, name),
  },
  {
    names: ["-a", "--pass"],
    value: "password",
    help: "password; safer in the variable MEMDB_AUTH or REDISCLI_AUTH, or with --askpass",
    apply: (o, v) => {
      o.password = v;
      o.passwordOnCommandLine = true;
    },
  },
  { names: ["--user"], value: "name", help: "user of the password", apply: (o, v) => o.user = v },
  { names: ["--askpass"], help: "ask for the password", apply: (o) => o.askPassword = true },
  { names: ["--no-auth-warning"], help: "no warning about -a", apply: (o) => o.authWarning = false },
  { names: ["-4"], help: "try IPv4 addresses before IPv6 ones", apply: (o) => o.family = 4 },
  { names: ["-6"], help: "try IPv6 addresses before IPv4 ones", apply: (o) => o.family = 6 },
  { names: ["--tls"], help: "connect with TLS", apply: (o) => o.tls = true },
  {
    names: ["--sni"],
    value: "host",
    help: "server's name for TLS, when it is not the host's",
    apply: (o, v) => o.serverName = toText(v),
  },
  { names: ["--insecure"], help: "accept every certificate of the server", apply: (o) => o.insecure = true },
  {
    names: ["--cacert"],
    value: "file",
    help: "certificate authorities to trust",
    apply: (o, v) => o.cacert = toText(v),
  },
  {
    names: ["--cacertdir"],
    value: "folder",
    help: "folder of certificate authorities to trust",
    apply: (o, v) => o.cacertDir = toText(v),
  },
  { names: ["--cert"], value: "file", help: "the client's certificate", apply: (o, v) => o.cert = toText(v) },
  { names: ["--key"], value: "file", help: "the key of that certificate", apply: (o, v) => o.key = toText(v) },
  {
    names: ["-n"],
    value: "db",
    help: "database to select",
    apply: (o, v, name) => o.database = integer(name, v, 0, 2 ** 31 - 1),
  },
  { names: ["--name"], value: "name", help: "the client's name (CLIENT SETNAME)", apply: (o, v) => o.clientName = v },
  { names: ["-c"], help: "follow a cluster's redirections", apply: (o) => o.followRedirections = true },
  { names: ["-2"], help: "speak RESP2", apply: (o, _, name) => setProtocol(o, 2, name) },
  { names: ["-3"], help: "speak RESP3", apply: (o, _, name) => setProtocol(o, 3, name) },
  {
    names: ["--raw"],
    help: "contents only (default where the output is not a terminal)",
    apply: (o) => o.output = "raw",
  },
  { names: ["--no-raw"], help: "types and numbers (default on a terminal)", apply: (o) => o.output = "standard" },
  { names: ["--csv"], help: "comma-separated values", apply: (o) => o.output = "csv" },
  { names: ["--json"], help: "JSON, over RESP3 unless -2 is given", apply: (o) => o.output = "json" },
  {
    names: ["--quoted-json"],
    help: "the same in ASCII: other bytes of strings as \\\\x00",
    apply: (o) => o.output = "quoted-json",
  },
  {
    names: ["-d"],
    value: "text",
    help: "between elements of a raw reply (newline)",
    apply: (o, v) => o.elementDelimiter = v,
  },
  {
    names: ["-D"],
    value: "text",
    help: "after each raw reply (newline)",
    apply: (o, v) => o.replyDelimiter = v,
  },
  {
    names: ["-r"],
    value: "times",
    help: "run the command several times (-1: until interrupted)",
    apply: (o, v, name) => o.repeat = integer(name, v, -1, Number.MAX_SAFE_INTEGER),
  },
  {
    names: ["-i"],
    value: "seconds",
    help: "pause between runs, rounds of --scan or lines of --stat",
    apply: (o, v, name) => o.intervalMs = seconds(name, v),
  },
  {
    names: ["-x"],
    help: "take the last argument from the standard input",
    apply: (o) => o.lastArgumentFromInput = true,
  },
  {
    names: ["-X"],
    value: "tag",
    help: "take the argument that is <tag> from the standard input",
    apply: (o, v) => o.tagFromInput = v,
  },
  { names: ["-e"], help: "errors make the exit status 1 and go to stderr", apply: (o) => o.errorsToStatus = true },
  {
    names: ["--quoted-input"],
    help: "arguments are quoted strings, \\xff for any byte",
    apply: (o) => o.quotedInput = true,
  },
  {
    names: ["--show-pushes"],
    value: "yes|no",
    help: "print RESP3 pushes (yes on a terminal)",
    apply: (o, v, name) => o.showPushes = yesOrNo(name, v),
  },
  {
    names: ["--eval"],
    value: "file",
    help: "run a Lua script: key … , argument …",
    apply: (o, v) => o.evalFile = toText(v),
  },
  { names: ["--scan"], help: "list the keys", apply: (o) => o.mode = "scan" },
  { names: ["--pattern"], value: "glob", help: "only keys that match", apply: (o, v) => o.pattern = v },
  {
    names: ["--quoted-pattern"],
    value: "glob",
    help: "the same, as a quoted string",
    apply: (o, v, name) => o.pattern = unquoted(name, v),
  },
  {
    names: ["--count"],
    value: "n",
    help: "COUNT of each SCAN",
    apply: (o, v, name) => o.count = integer(name, v, 1, Number.MAX_SAFE_INTEGER),
  },
  { names: ["--bigkeys"], help: "find the keys with the most elements", apply: (o) => o.mode = "bigkeys" },
  { names: ["--memkeys"], help: "find the keys that take the most memory", apply: (o) => o.mode = "memkeys" },
  {
    names: ["--memkeys-samples"],
    value: "n",
    help: "the same, sampling n elements of each (0: all)",
    apply: (o, v, name) => {
      o.mode = "memkeys";
      o.memorySamples = integer(name, v, 0, Number.MAX_SAFE_INTEGER);
    },
  },
  {
    names: ["--hotkeys"],
    help: "find the keys that are used most (with an LFU policy)",
    apply: (o) => o.mode = "hotkeys",
  },
  { names: ["--stat"], help: "print the server's figures, line by line", apply: (o) => o.mode = "stat" },
  { names: ["--latency"], help: "measure the time of a PING", apply: (o) => o.mode = "latency" },
  {
    names: ["--latency-history"],
    help: "the same, a new line every -i seconds (15)",
    apply: (o) => o.mode = "latency-history",
  },
  {
    names: ["--intrinsic-latency"],
    value: "seconds",
    help: "measure the pauses of this machine, without a server",
    apply: (o, v, name) => {
      o.mode = "intrinsic-latency";
      o.testSeconds = integer(name, v, 1, Number.MAX_SAFE_INTEGER);
    },
  },
  {
    names: ["--lru-test"],
    value: "keys",
    help: "simulate a cache: 80 % of the requests for 20 % of the keys",
    apply: (o, v, name) => {
      o.mode = "lru-test";
      o.testKeys = integer(name, v, 1, Number.MAX_SAFE_INTEGER);
    },
  },
  { names: ["--pipe"], help: "send RESP or commands from the standard input", apply: (o) => o.mode = "pipe" },
  {
    names: ["--pipe-timeout"],
    value: "seconds",
    help: "longest wait for the last replies (30; 0: no limit)",
    apply: (o, v, name) => o.pipeTimeoutMs = seconds(name, v),
  },
  { names: ["--help"], help: "this text", apply: (o) => o.mode = "help" },
  { names: ["--version", "-v"], help: "the version", apply: (o) => o.mode = "version" },
];

/** redis-cli's flags that mean nothing here, each with the reason. */
const foreignFlags: readonly (readonly [names: RegExp, reason: string])[] = [
  [/^--cluster(-.*)?$/, "there is no cluster to manage"],
  [/^--(keystats|keystats-samples|cursor|top)$/, "--bigkeys and --memkeys find large keys"],
  [/^--(latency-dist|mono)$/, "--latency-history shows how latency changes"],
  [/^--verbose$/, "it has no effect outside of a cluster"],
  [/^--ldb(-sync-mode)?$/, "there is no debugger for scripts"],
  [/^--vset-recall(-.*)?$/, "there are no vector sets"],
  [/^--tls-cipher(s|suites)$/, "the runtime chooses the ciphers"],
  [/^--(rdb|functions-rdb|replica|slave)$/, "the client does not speak the replication protocol"],
];

/**
 * Reads `args`, byte strings, and what `env` adds to them. Flags end at the first word that is not one, or at `--`.
 * Throws UsageError.
 */
export function parseOptions(args: readonly string[], env: (name: string) => string | undefined): Options {
  const options: Options = {
    mode: "commands",
    host: "127.0.0.1",
    port: 6379,
    socket: undefined,
    family: undefined,
    tls: false,
    serverName: undefined,
    insecure: false,
    cacert: undefined,
    cacertDir: undefined,
    cert: undefined,
    key: undefined,
    user: undefined,
    password: fromText(env("MEMDB_AUTH") || env("REDISCLI_AUTH") || "") || undefined,
    passwordOnCommandLine: false,
    askPassword: false,
    authWarning: true,
    database: 0,
    clientName: undefined,
    followRedirections: false,
    protocol: undefined,
    output: undefined,
    elementDelimiter: "\n",
    replyDelimiter: "\n",
    connectTimeoutMs: 0,
    repeat: 1,
    intervalMs: 0,
    lastArgumentFromInput: false,
    tagFromInput: undefined,
    errorsToStatus: false,
    showPushes: undefined,
    quotedInput: false,
    evalFile: undefined,
    pattern: undefined,
    count: undefined,
    memorySamples: undefined,
    testKeys: 0,
    testSeconds: 0,
    pipeTimeoutMs: 30_000,
    command: [],
  };
  let at = 0;
  for (; at < args.length && args[at]!.startsWith("-") && args[at] !== "-"; at++) {
    if (args[at] === "--") {
      at++;
      break;
    }
    const [name, inline] = splitInline(args[at]!);
    const flag = flags.find((each) => each.names.includes(name));
    if (flag === undefined) throw new UsageError(unknownFlag(name));
    if (flag.value === undefined) {
      if (inline !== undefined) throw new UsageError(`${name} takes no value`);
      flag.apply(options, "", name);
    } else if (name === "-h" && at === args.length - 1) {
      options.mode = "help";
    } else {
      const value = inline ?? args[++at];
      if (value === undefined) throw new UsageError(`${name} needs a value: ${name} <${flag.value}>`);
      flag.apply(options, value, name);
    }
  }
  options.command = args.slice(at);
  if (options.quotedInput) options.command = options.command.map((arg) => unquoted("--quoted-input", arg));
  if (options.protocol === undefined && (options.output === "json" || options.output === "quoted-json")) {
    options.protocol = 3;
  }
  if (options.user !== undefined && options.password === undefined && !options.askPassword) {
    throw new UsageError("--user needs a password: -a <password>, --askpass or MEMDB_AUTH");
  }
  if (options.followRedirections && options.socket !== undefined) {
    throw new UsageError("-c and -s exclude each other");
  }
  if (options.lastArgumentFromInput && options.tagFromInput !== undefined) {
    throw new UsageError("-x and -X exclude each other");
  }
  return options;
}

function splitInline(arg: string): [string, string | undefined] {
  const equals = arg.indexOf("=");
  return arg.startsWith("--") && equals > 0 ? [arg.slice(0, equals), arg.slice(equals + 1)] : [arg, undefined];
}

function setProtocol(options: Options, protocol: 2 | 3, name: string): void {
  if (options.protocol !== undefined && options.protocol !== protocol) {
    throw new UsageError(`-${options.protocol} and ${name} exclude each other`);
  }
  options.protocol = protocol;
}

function unknownFlag(name: string): string {
  const foreign = foreignFlags.find(([names]) => names.test(name));
  if (foreign !== undefined) return `${name} is a flag of redis-cli that memdb cli does not have: ${foreign[1]}`;
  const guess = nearest(name, flags.flatMap((flag) => flag.names));
  return `unknown flag ${name}` + (guess === undefined ? "; memdb cli --help lists them" : `, did you mean ${guess}?`);
}

function integer(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || value < min || value > max) {
    const range = max >= 2 ** 31 - 1 ? `from ${min} up` : `from ${min} to ${max}`;
    throw new UsageError(`${name} ${text}: not a whole number ${range}`);
  }
  return value;
}

/** Milliseconds of a number of seconds, decimals allowed. */
function seconds(name: string, text: string): number {
  if (!/^\d*\.?\d+$/.test(text)) throw new UsageError(`${name} ${text}: not a number of seconds`);
  return Number(text) * 1000;
}

function yesOrNo(name: string, text: string): boolean {
  if (/^(yes|y|true|1)$/i.test(text)) return true;
  if (/^(no|n|false|0)$/i.test(text)) return false;
  throw new UsageError(`${name} ${text}: neither yes nor no`);
}

function unquoted(name: string, text: string): string {
  const words = splitArguments(text);
  if (words?.length !== 1) throw new UsageError(`${name} ${text}: not one quoted string`);
  return words[0]!;
}

/** A user without a password is the password, as in Redis's client. */
function applyUrl(options: Options, bytes: string, name: string): void {
  const text = toText(bytes);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const database = /^(\/|\/\d+)?$/.test(url?.pathname ?? "?") ? url!.pathname.slice(1) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || database === undefined) {
    throw new UsageError(`${name}: not of the form redis://user:password@host:port/db`);
  }
  if (url.protocol === "rediss:") options.tls = true;
  if (url.hostname !== "") options.host = toText(percentDecoded(url.hostname)).replace(/^\[(.*)\]$/, "$1");
  if (url.port !== "") options.port = Number(url.port);
  const [user, password] = [percentDecoded(url.username), percentDecoded(url.password)];
  if (password !== "") {
    options.password = password;
    if (user !== "") options.user = user;
  } else if (user !== "") {
    options.password = user;
  }
  if (user !== "" || password !== "") options.passwordOnCommandLine = true;
  if (database !== "") options.database = Number(database);
}

/** The byte string that a part of a URL stands for. */
function percentDecoded(part: string): string {
  return part.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

/** The text of --help in lines of `width` columns. */
export function usage(width: number): string {
  const rows = flags.map(({ names, value, help }) => [names.join(", ") + (value ? ` <${value}>` : ""), help] as const);
  const left = Math.max(...rows.map(([flag]) => flag.length)) + 4;
  const lines = rows.map(([flag, help]) => `  ${flag}`.padEnd(left) + wrapWords(help, width, left));
  const paragraph = (text: string) => wrapWords(text, width, 0);
  return [
    "Usage: memdb cli [flags] [command [argument ...]]",
    paragraph("Runs one command, the commands of the standard input, or, on a terminal, a session."),
    lines.join("\n"),
    paragraph(
      "The password may be in MEMDB_AUTH or REDISCLI_AUTH. The history of sessions is in ~/.memdb_history, or in the " +
        "file that MEMDB_HISTFILE or REDISCLI_HISTFILE names; it never holds commands with passwords.",
    ),
    paragraph(
      "Arguments may have any bytes on Linux, with the permission for FFI and not in the compiled executable. " +
        "Everywhere, -x takes them from the standard input and --quoted-input from escapes.",
    ),
    paragraph(
      "Exit status: 0, 1 when the command failed or the server cannot be reached, 2 when a flag is wrong.",
    ),
  ].join("\n\n") + "\n";
}
