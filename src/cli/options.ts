/**
 * The client's settings for one run, from the command line and the environment. Names of hosts and files are text; the
 * parts that go to the server or to the output are byte strings.
 */
import type { OutputMode } from "./format.ts";

/** Running commands, or one of the client's other tasks. */
export type Mode =
  | "commands"
  | "scan"
  | "stat"
  | "latency"
  | "latency-history"
  | "intrinsic-latency"
  | "bigkeys"
  | "memkeys"
  | "hotkeys"
  | "lru-test"
  | "pipe"
  | "help"
  | "version";

export interface Options {
  mode: Mode;
  host: string;
  port: number;
  socket: string | undefined;
  /** Addresses of this family are tried first; undefined leaves the order to the system. */
  family: 4 | 6 | undefined;
  tls: boolean;
  /** The name that TLS asks for and checks, where it is not the host's. */
  serverName: string | undefined;
  /** Any certificate will do. */
  insecure: boolean;
  cacert: string | undefined;
  cacertDir: string | undefined;
  cert: string | undefined;
  key: string | undefined;
  user: string | undefined;
  password: string | undefined;
  /** The password is on the command line, where others can see it. */
  passwordOnCommandLine: boolean;
  askPassword: boolean;
  authWarning: boolean;
  database: number;
  clientName: string | undefined;
  /** Follow MOVED and ASK to other servers. */
  followRedirections: boolean;
  protocol: 2 | 3 | undefined;
  /** Undefined: standard on a terminal, raw elsewhere. */
  output: OutputMode | undefined;
  elementDelimiter: string;
  replyDelimiter: string;
  connectTimeoutMs: number;
  /** How often to run the command; -1: until it is interrupted. */
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
  /** Keys of --lru-test. */
  testKeys: number;
  /** How long --intrinsic-latency measures. */
  testSeconds: number;
  pipeTimeoutMs: number;
  /** Empty for a session. */
  command: string[];
}

/** A command line that cannot be used; `message` is one line for the user. */
export class UsageError extends Error {
  override name = "UsageError";
}
