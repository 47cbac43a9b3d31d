import { assertEquals, assertThrows } from "@std/assert";
import { fromText } from "../../src/cli/binary.ts";
import { parseOptions, usage } from "../../src/cli/flags.ts";
import { type Options, UsageError } from "../../src/cli/options.ts";

const parse = (args: string[], env: Record<string, string> = {}) =>
  parseOptions(args.map(fromText), (name) => env[name]);

Deno.test("flags set their options and end at the first word that is not a flag", () => {
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
    [["--quoted-json"], { output: "quoted-json", protocol: 3 }],
    [["--name", "me", "-c", "-6"], { clientName: "me", followRedirections: true, family: 6 }],
    [["--tls", "--sni", "é.example", "--insecure", "--cacertdir", "/é"], {
      tls: true,
      serverName: "é.example",
      insecure: true,
      cacertDir: "/é",
    }],
    [["--user", "é", "-a", "ü"], { user: "\xc3\xa9", password: "\xc3\xbc" }],
    [["--latency-history"], { mode: "latency-history" }],
    [["--intrinsic-latency", "5"], { mode: "intrinsic-latency", testSeconds: 5 }],
    [["--lru-test", "100"], { mode: "lru-test", testKeys: 100 }],
    [["--hotkeys"], { mode: "hotkeys" }],
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
    [["-u", "redis://é:%ff%25@h"], { user: "\xc3\xa9", password: "\xff%" }],
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
  assertEquals(parse([], { MEMDB_AUTH: "é" }).password, "\xc3\xa9");
});

Deno.test("a wrong flag or value gets one line that names the remedy", () => {
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
    [["-3", "-2"], "-3 and -2 exclude each other"],
    [["-c", "-s", "/tmp/x"], "-c and -s exclude each other"],
    [["--ldb"], "--ldb is a flag of redis-cli that memdb cli does not have: there is no debugger for scripts"],
    [["--quoted-input", '"a'], '--quoted-input "a: not one quoted string'],
  ];
  for (const [args, message] of cases) {
    const error = assertThrows(() => parse(args), UsageError);
    assertEquals(error.message, message);
  }
});

Deno.test("the help text breaks between words at the width of the terminal", () => {
  for (const width of [80, 132]) {
    const text = usage(width);
    for (const line of text.split("\n")) assertEquals(line.length <= width, true, line);
    assertEquals(text.replaceAll(/\s+/g, " "), usage(1000).replaceAll(/\s+/g, " "));
  }
});
