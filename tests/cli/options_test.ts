import { assertEquals, assertThrows } from "@std/assert";
import { type Options, parseOptions, usage, UsageError } from "../../src/cli/options.ts";

const parse = (args: string[], env: Record<string, string> = {}) => parseOptions(args, (name) => env[name]);

Deno.test("flags set what they say and end at the first word that is none", () => {
  const cases: [string[], Partial<Options>][] = [
    [[], { host: "127.0.0.1", port: 6379, mode: "commands", command: [], repeat: 1, output: undefined }],
    [["-h", "example", "-p", "1234", "get", "-p"], { host: "example", port: 1234, command: ["get", "-p"] }],
    [["-s", "/tmp/x", "-n", "3", "-3"], { socket: "/tmp/x", database: 3, protocol: 3 }],
    [["-a", "-secret", "--user", "alice"], { password: "-secret", user: "alice", passwordOnCommandLine: true }],
    [["--pass", "x", "--no-auth-warning"], { password: "x", authWarning: false }],
    [["--raw"], { output: "raw" }],
    [["--no-raw"], { output: "standard" }],
    [["--csv"], { output: "csv", protocol: undefined }],
    [["--json"], { output: "json", protocol: 3 }],
    [["--json", "-2"], { output: "json", protocol: 2 }],
    [["-r", "-1", "-i", "0.25", "ping"], { repeat: -1, intervalMs: 250, command: ["ping"] }],
    [["-d", "é", "-D", ""], { elementDelimiter: "\xc3\xa9", replyDelimiter: "" }],
    [["-x", "-e", "set", "é"], { lastArgumentFromInput: true, errorsToStatus: true, command: ["set", "\xc3\xa9"] }],
    [["--quoted-input", "set", '"\\x00"'], { command: ["set", "\0"] }],
    [["--scan", "--pattern", "a*", "--count=7"], { mode: "scan", pattern: "a*", count: 7 }],
    [["--quoted-pattern", '"\\xff*"'], { pattern: "\xff*" }],
    [["--memkeys-samples", "0"], { mode: "memkeys", memorySamples: 0 }],
    [["--show-pushes", "no"], { showPushes: false }],
    [["--", "-x"], { command: ["-x"], lastArgumentFromInput: false }],
    [["-h"], { mode: "help" }],
    [["--version"], { mode: "version" }],
    [["-u", "redis://alice:p%40ss@example:7000/3"], {
      host: "example",
      port: 7000,
      user: "alice",
      password: "p@ss",
      database: 3,
      tls: false,
    }],
    [["-u", "redis://secret@[::1]"], { host: "::1", port: 6379, user: undefined, password: "secret", database: 0 }],
    [["-u", "redis://:secret@h/"], { password: "secret", user: undefined }],
    [["-u", "rediss://h"], { tls: true, password: undefined, passwordOnCommandLine: false }],
  ];
  for (const [args, expected] of cases) {
    const options = parse(args);
    for (const [name, value] of Object.entries(expected)) {
      assertEquals(options[name as keyof Options], value, `${args.join(" ")}: ${name}`);
    }
  }
});

Deno.test("the password comes from the environment unless a flag gives it", () => {
  assertEquals(parse([], { REDISCLI_AUTH: "r" }).password, "r");
  assertEquals(parse([], { REDISCLI_AUTH: "r", MEMDB_AUTH: "m" }).password, "m");
  assertEquals(parse([], { REDISCLI_AUTH: "" }).password, undefined);
  assertEquals(parse(["-a", "f"], { REDISCLI_AUTH: "r" }).password, "f");
});

Deno.test("a wrong flag or value is one line that says what is right", () => {
  const cases: [string[], string][] = [
    [["--jsno"], "unknown flag --jsno, did you mean --json?"],
    [["--patern", "x"], "unknown flag --patern, did you mean --pattern?"],
    [["--completely-else"], "unknown flag --completely-else; memdb cli --help lists them"],
    [["-p"], "-p needs a value: -p <port>"],
    [["-p", "abc"], "-p abc: not a whole number from 1 to 65535"],
    [["-p", "70000"], "-p 70000: not a whole number from 1 to 65535"],
    [["-n", "-1"], "-n -1: not a whole number from 0 up"],
    [["-i", "x"], "-i x: not a number of seconds"],
    [["--raw=yes"], "--raw takes no value"],
    [["--show-pushes", "maybe"], "--show-pushes maybe: neither yes nor no"],
    [["-u", "http://x"], "-u: not of the form redis://user:password@host:port/db"],
    [["-u", "redis://x/y"], "-u: not of the form redis://user:password@host:port/db"],
    [["--user", "a"], "--user needs a password: -a <password>, --askpass or MEMDB_AUTH"],
    [["-x", "-X", "tag", "set"], "-x and -X exclude each other"],
    [["--quoted-input", '"a'], '--quoted-input "a: not one quoted string'],
  ];
  for (const [args, message] of cases) {
    const error = assertThrows(() => parse(args), UsageError);
    assertEquals(error.message, message);
  }
});

Deno.test("the help text lists every flag within the width of a terminal", () => {
  for (const line of usage().split("\n")) assertEquals(line.length <= 120, true, line);
});
