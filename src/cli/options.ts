/**
 * The client's flags: their names, values, meaning and help text in one array. Parses the command line and the
 * environment into Options; it connects to nothing and prints nothing.
 */
import { fromText } from "./binary.ts";
import type { OutputMode } from "./format.ts";
import { nearest } from "../core/nearest.ts";
import { splitArguments } from "./quoting.ts";

/** What the client does when it is not running commands. */
export type Mode = "commands" | "scan" | "stat" | "latency" | "bigkeys" | "memkeys" | "pipe" | "help" | "version";

export interface Options {
  mode: Mode;
  host: string;
  port: number;
  socket: string | undefined;
  tls: boolean;
  cacert: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  user: string | undefined;
  password: string | undefined;
  /** The password stood on the command line, where others can see it. */
  passwordOnCommandLine: boolean;
  askPassword: boolean;
  authWarning: boolean;
  database: number;
  protocol: 2 | 3 | undefined;
  /** Undefined: standard on a terminal, raw elsewhere. */
  output: OutputMode | undefined;
  elementDelimiter: string;
  replyDelimiter: string;
  connectTimeoutMs: number;
  /** How often to run the command; -1 for ever. */
  repeat: number;
  intervalMs: number;
  lastArgumentFromInput: boolean;
  tagFromInput: string | undefined;
  errorsToStatus: boolean;
  showPushes: boolean | undefined;
  quotedInput: boolean;
  evalFile: string | undefined;
  pattern: string | undefined;
  count: number | undefined;
  memorySamples: number | undefined;
  pipeTimeoutMs: number;
  /** The command, as byte strings; empty for a session. */
  command: string[];
}

/** A command line that cannot be used; `message` is one line for the user. */
export class UsageError extends Error {
  override name = "UsageError";
}

interface Flag {
  readonly names: readonly string[];
  /** What its value is called; undefined when it takes none. */
  readonly value?: string;
  readonly help: string;
  readonly apply: (options: Options, value: string, name: string) => void;
}

const flags: readonly Flag[] = [
  { names: ["-h"], value: "host", help: "server's name or address (127.0.0.1)", apply: (o, v) => o.host = v },
  {
    names: ["-p"],
    value: "port",
    help: "server's port (6379)",
    apply: (o, v, name) => o.port = integer(name, v, 1, 65535),
  },
  {
    names: ["-t"],
    value: "seconds",
    help: "give up connecting after so long (0: never)",
    apply: (o, v, name) => o.connectTimeoutMs = seconds(name, v),
  },
  {
    names: ["-s"],
    value: "path",
    help: "server's Unix socket, instead of host and port",
    apply: (o, v) => o.socket = v,
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
    help: "password; better in the variable MEMDB_AUTH or REDISCLI_AUTH, or asked for",
    apply: (o, v) => {
      o.password = v;
      o.passwordOnCommandLine = true;
    },
  },
  { names: ["--user"], value: "name", help: "user whose password it is", apply: (o, v) => o.user = v },
  { names: ["--askpass"], help: "ask for the password", apply: (o) => o.askPassword = true },
  { names: ["--no-auth-warning"], help: "no warning about -a", apply: (o) => o.authWarning = false },
  { names: ["--tls"], help: "connect with TLS", apply: (o) => o.tls = true },
  { names: ["--cacert"], value: "file", help: "certificate authorities to trust", apply: (o, v) => o.cacert = v },
  { names: ["--cert"], value: "file", help: "the client's certificate", apply: (o, v) => o.cert = v },
  { names: ["--key"], value: "file", help: "the key of that certificate", apply: (o, v) => o.key = v },
  {
    names: ["-n"],
    value: "db",
    help: "database to select",
    apply: (o, v, name) => o.database = integer(name, v, 0, 2 ** 31 - 1),
  },
  { names: ["-2"], help: "speak RESP2", apply: (o) => o.protocol = 2 },
  { names: ["-3"], help: "speak RESP3", apply: (o) => o.protocol = 3 },
  { names: ["--raw"], help: "contents only (default when the output is no terminal)", apply: (o) => o.output = "raw" },
  { names: ["--no-raw"], help: "types and numbers even when it is none", apply: (o) => o.output = "standard" },
  { names: ["--csv"], help: "comma-separated values", apply: (o) => o.output = "csv" },
  { names: ["--json"], help: "JSON, over RESP3 unless -2 is given", apply: (o) => o.output = "json" },
  {
    names: ["-d"],
    value: "text",
    help: "between elements of a raw reply (newline)",
    apply: (o, v) => o.elementDelimiter = fromText(v),
  },
  {
    names: ["-D"],
    value: "text",
    help: "after each raw reply (newline)",
    apply: (o, v) => o.replyDelimiter = fromText(v),
  },
  {
    names: ["-r"],
    value: "times",
    help: "run the command so often (-1: for ever)",
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
    apply: (o, v) => o.tagFromInput = fromText(v),
  },
  { names: ["-e"], help: "errors make the exit status 1 and go to stderr", apply: (o) => o.errorsToStatus = true },
  { names: ["--quoted-input"], help: "arguments are quoted strings", apply: (o) => o.quotedInput = true },
  {
    names: ["--show-pushes"],
    value: "yes|no",
    help: "print RESP3 pushes (yes on a terminal)",
    apply: (o, v, name) => o.showPushes = yesOrNo(name, v),
  },
  { names: ["--eval"], value: "file", help: "run a Lua script: key … , argument …", apply: (o, v) => o.evalFile = v },
  { names: ["--scan"], help: "list the keys", apply: (o) => o.mode = "scan" },
  { names: ["--pattern"], value: "glob", help: "only keys that match", apply: (o, v) => o.pattern = fromText(v) },
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
  { names: ["--stat"], help: "print the server's figures, line by line", apply: (o) => o.mode = "stat" },
  { names: ["--latency"], help: "measure the time of a PING", apply: (o) => o.mode = "latency" },
  { names: ["--pipe"], help: "send RESP or commands from the standard input", apply: (o) => o.mode = "pipe" },
  {
    names: ["--pipe-timeout"],
    value: "seconds",
    help: "wait so long for the last replies (30; 0: for ever)",
    apply: (o, v, name) => o.pipeTimeoutMs = seconds(name, v),
  },
  { names: ["--help"], help: "this text", apply: (o) => o.mode = "help" },
  { names: ["--version", "-v"], help: "the version", apply: (o) => o.mode = "version" },
];

/** Reads `args` and what `env` adds to them. Flags end at the first word that is none, or behind `--`. Throws UsageError. */
export function parseOptions(args: readonly string[], env: (name: string) => string | undefined): Options {
  const options: Options = {
    mode: "commands",
    host: "127.0.0.1",
    port: 6379,
    socket: undefined,
    tls: false,
    cacert: undefined,
    cert: undefined,
    key: undefined,
    user: undefined,
    password: env("MEMDB_AUTH") || env("REDISCLI_AUTH") || undefined,
    passwordOnCommandLine: false,
    askPassword: false,
    authWarning: true,
    database: 0,
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
  options.command = args.slice(at).map(fromText);
  if (options.quotedInput) options.command = options.command.map((arg) => unquoted("--quoted-input", arg));
  if (options.protocol === undefined && options.output === "json") options.protocol = 3;
  if (options.user !== undefined && options.password === undefined && !options.askPassword) {
    throw new UsageError("--user needs a password: -a <password>, --askpass or MEMDB_AUTH");
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

function unknownFlag(name: string): string {
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
  const words = splitArguments(fromText(text));
  if (words?.length !== 1) throw new UsageError(`${name} ${text}: not one quoted string`);
  return words[0]!;
}

/** A user without a password is the password, as Redis's client has it. */
function applyUrl(options: Options, text: string, name: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const database = /^(\/|\/\d+)?$/.test(url?.pathname ?? "?") ? url!.pathname.slice(1) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || database === undefined) {
    throw new UsageError(`${name}: not of the form redis://user:password@host:port/db`);
  }
  if (url.protocol === "rediss:") options.tls = true;
  if (url.hostname !== "") options.host = decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, "$1");
  if (url.port !== "") options.port = Number(url.port);
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  if (password !== "") {
    options.password = password;
    if (user !== "") options.user = user;
  } else if (user !== "") {
    options.password = user;
  }
  if (user !== "" || password !== "") options.passwordOnCommandLine = true;
  if (database !== "") options.database = Number(database);
}

/** What --help prints. */
export function usage(): string {
  const rows = flags.map(({ names, value, help }) => [names.join(", ") + (value ? ` <${value}>` : ""), help] as const);
  const width = Math.max(...rows.map(([left]) => left.length));
  return `Usage: memdb cli [flags] [command [argument ...]]

Runs one command, the commands of the standard input, or, on a terminal, a session.

${rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`).join("\n")}

The password may stand in MEMDB_AUTH or REDISCLI_AUTH. The history of sessions is kept in ~/.memdb_history,
or where MEMDB_HISTFILE or REDISCLI_HISTFILE says; commands with passwords are never kept.

Exit status: 0, 1 when the command failed or the server cannot be reached, 2 when a flag is wrong.
`;
}
