import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseServeOptions, type ServeOptions, type Surroundings, UsageError } from "../../src/server/options.ts";
import { serveHelp } from "../../src/server/flags_help.ts";
import { CHECK_AOF_HELP } from "../../src/tools/check_aof.ts";
import { EXPORT_HELP, IMPORT_HELP } from "../../src/tools/migrate.ts";
import { allSettings } from "../../src/settings/table.ts";
import { resolve } from "node:path";
import { FOLDER, machine } from "./machine.ts";

function parse(args: string, surroundings: Surroundings = machine()): ServeOptions {
  return parseServeOptions(args.match(/"[^"]*"|\S+/g)?.map((arg) => arg.replaceAll('"', "")) ?? [], surroundings);
}

function values(args: string, surroundings?: Surroundings) {
  return parse(args, surroundings).settings.values;
}

function complaint(args: string, surroundings?: Surroundings): string {
  return assertThrows(() => parse(args, surroundings), UsageError).message;
}

Deno.test("without arguments everything has its default", () => {
  const { settings, configFile, given, warnings } = parse("");
  const { port, bind, appendonly, aofpath, restoredb, startexpiryloop, dir } = settings.values;
  assertEquals({ port, bind, appendonly, aofpath, restoredb, startexpiryloop, dir }, {
    port: 6379,
    bind: ["127.0.0.1"],
    appendonly: false,
    aofpath: resolve(FOLDER, "appendonly.aof"),
    restoredb: false,
    startexpiryloop: true,
    dir: FOLDER,
  });
  assertEquals([configFile, given.size, warnings.length], ["", 0, 0]);
});

Deno.test("a setting that takes a list may have none in a config file", () => {
  const text = "save\nlatency-tracking-info-percentiles\nclient-output-buffer-limit\n";
  const { save, latencyTrackingInfoPercentiles } = values("a.conf", machine({ "a.conf": text }));
  assertEquals([save, latencyTrackingInfoPercentiles], [[], []]);
  assertEquals(values("--save --port 7000"), values('--save "" --port 7000'));
});

Deno.test("flags take their value behind a blank or an equals sign", () => {
  assertEquals(values("--port 7000").port, 7000);
  assertEquals(values("--PORT=7000").port, 7000);
  assertEquals(values("--requirepass=--x=y").requirepass, "--x=y");
  assertEquals(values("--list-max-listpack-size -5").listMaxListpackSize, -5);
});

Deno.test("BOOL takes true, false, yes, no, 1, 0 and the bare flag", () => {
  for (const word of ["true", "yes", "1", "YES", "True"]) assertEquals(values(`--appendonly ${word}`).appendonly, true);
  for (const word of ["false", "no", "0"]) assertEquals(values(`--startexpiryloop ${word}`).startexpiryloop, false);
  assertEquals(values("--appendonly --port 7000").appendonly, true);
  assertEquals(values("--port 7000 --appendonly").appendonly, true);
});

Deno.test("settings of several words take them apart or together, as redis-server does", () => {
  const command = '--port 7000 --save "" --appendonly no --client-output-buffer-limit pubsub 1mb 2mb 5';
  assertEquals(values(command).clientOutputBufferLimit.pubsub, { hard: 1048576, soft: 2097152, seconds: 5 });
  assertEquals(values('--latency-tracking-info-percentiles "50 90"').latencyTrackingInfoPercentiles, [50, 90]);
  assertEquals(values("--latency-tracking-info-percentiles 50 90").latencyTrackingInfoPercentiles, [50, 90]);
});

Deno.test("hosts may be repeated, or stand with commas or blanks", () => {
  const expected = ["127.0.0.1", "::1", "10.0.0.1"];
  assertEquals(values("--host 127.0.0.1 --host ::1 --bind 10.0.0.1").bind, expected);
  assertEquals(values("--host 127.0.0.1,::1,10.0.0.1").bind, expected);
  assertEquals(values("--host 127.0.0.1 ::1 10.0.0.1").bind, expected);
  assertEquals(values("", machine({}, { MEMDB_HOST: "127.0.0.1, ::1 10.0.0.1" })).bind, expected);
});

Deno.test("a flag wins over the environment, that over the file", () => {
  const surroundings = machine(
    { "memdb.conf": "port 1\ntimeout 1\nhz 11\ndaemonize yes\n" },
    { MEMDB_PORT: "2", MEMDB_TIMEOUT: "2", MEMDB_DAEMONIZE: "no", HOME: "/root" },
  );
  const { settings, configFile, given } = parse("memdb.conf --port 3", surroundings);
  assertEquals([settings.values.port, settings.values.timeout, settings.values.hz], [3, 2, 11]);
  assertEquals(configFile, resolve(FOLDER, "memdb.conf"));
  assertEquals([...given].sort(), ["daemonize", "hz", "port", "timeout"]);
});

Deno.test("buffer limits of one source leave the classes of another alone", () => {
  const limits = values(
    '--client-output-buffer-limit "normal 1 2 3"',
    machine({ "a.conf": "" }, { MEMDB_CLIENT_OUTPUT_BUFFER_LIMIT: "pubsub 4 5 6" }),
  ).clientOutputBufferLimit;
  assertEquals([limits.normal.hard, limits.pubsub.hard], [1, 4]);
});

Deno.test("the append-only file is kept when its path is given, and read when it is there", () => {
  const there = machine({ "db.aof": "x", "appendonly.aof": "x", "data/db.aof": "x" });
  const decided = (args: string, surroundings?: Surroundings) => {
    const { appendonly, aofpath, restoredb } = values(args, surroundings);
    return [appendonly, restoredb, aofpath.slice(FOLDER.length + 1)];
  };
  assertEquals(decided("--aofpath ./db.aof"), [true, false, "db.aof"]);
  assertEquals(decided("--aofpath ./db.aof", there), [true, true, "db.aof"]);
  assertEquals(decided("", there), [false, true, "appendonly.aof"]);
  assertEquals(decided("--aofpath db.aof --appendonly no", there), [false, true, "db.aof"]);
  assertEquals(decided("--aofpath db.aof --restoredb false", there), [true, false, "db.aof"]);
  assertEquals(decided("--dir data --aofpath db.aof", there), [true, true, "data/db.aof"]);
  assertEquals(decided("--appendonly --appendfilename db.aof", there), [true, true, "db.aof"]);
  assertEquals(decided("", machine({ "appendonly.aof": "" }, { MEMDB_AOFPATH: "db.aof" })), [true, false, "db.aof"]);
});

Deno.test("values chosen automatically are not written to the config file", () => {
  const { settings } = parse("memdb.conf", machine({ "memdb.conf": "port 1\n", "appendonly.aof": "x" }));
  assertEquals(settings.rewrite("port 1\n"), "port 1\n");
});

Deno.test("a file has comments, quotes, repeated lines and includes", () => {
  const { settings, warnings } = parse(
    "memdb.conf",
    machine({
      "memdb.conf":
        '# all of it\nrequirepass "a b"\r\n\ninclude conf.d/*.conf\ninclude last.conf\nBIND 127.0.0.1 -::1\n',
      "conf.d/1.conf": "hz 11\ntimeout 1\n",
      "conf.d/2.conf": "timeout 2\nio-threads-do-reads yes\n",
      "conf.d/readme": "nonsense\n",
      "last.conf": "client-output-buffer-limit normal 1 1 1\nclient-output-buffer-limit pubsub 2 2 2\n",
    }),
  );
  const { requirepass, hz, timeout, bind, clientOutputBufferLimit } = settings.values;
  assertEquals([requirepass, hz, timeout, bind.join(" ")], ["a b", 11, 2, "127.0.0.1 -::1"]);
  assertEquals([clientOutputBufferLimit.normal.hard, clientOutputBufferLimit.pubsub.hard], [1, 2]);
  assertEquals(warnings, ["conf.d/2.conf, line 2: io-threads-do-reads has no effect: it is deprecated"]);
});

Deno.test("a dash reads the file from standard input", () => {
  const { settings, configFile } = parse("- --hz 12", machine({ "-": "port 7000\n" }));
  assertEquals([settings.values.port, settings.values.hz, configFile], [7000, 12, ""]);
});

Deno.test("a bad command line gets one clear line", () => {
  const file = (text: string) => machine({ "memdb.conf": text });
  assertEquals(complaint("--prot 1"), "unknown flag --prot; did you mean --port?");
  assertEquals(complaint("--frobnicate"), "unknown flag --frobnicate; see memdb help serve");
  assertEquals(complaint("-p 7000"), "unknown flag -p; see memdb help serve");
  assertEquals(complaint("--port x"), "bad value 'x' for --port: argument couldn't be parsed into an integer");
  assertEquals(complaint("--port"), "--port needs a value: PORT");
  assertEquals(complaint("--port 1 2"), "unexpected argument '2'");
  assertEquals(complaint("--appendonly maybe"), "bad value 'maybe' for --appendonly: argument must be 'yes' or 'no'");
  assertEquals(complaint("--dir nowhere"), `--dir: '${resolve(FOLDER, "nowhere")}' is not a folder; create it first`);
  assertEquals(
    complaint("--aofpath data"),
    `--aofpath: '${resolve(FOLDER, "data")}' is a folder; name a file in it, or start with --appendonly yes ` +
      "--dir FOLDER instead to load the files of a redis-server",
  );
  assertEquals(complaint("none.conf"), "there is no config file 'none.conf'");
  assertEquals(
    complaint("memdb.conf", file("\nhz x\n")),
    "memdb.conf, line 2: bad value 'x' for hz: argument couldn't be parsed into an integer",
  );
  assertEquals(complaint("memdb.conf", file('hz "1\n')), "memdb.conf, line 1: the quotes do not balance");
  assertEquals(complaint("memdb.conf", file("hz\n")), "memdb.conf, line 1: hz needs a value: N");
  assertEquals(
    complaint("memdb.conf", file("maxmemry 1\n")),
    "memdb.conf, line 1: unknown setting 'maxmemry'; did you mean maxmemory?",
  );
  assertEquals(
    complaint("memdb.conf", file("loadmodule x.so\n")),
    "memdb.conf, line 1: loadmodule is not supported: MemDB loads no modules; remove the line",
  );
  assertStringIncludes(complaint("memdb.conf", file("include memdb.conf\n")), "include each other");
  assertEquals(
    complaint("", machine({}, { MEMDB_PORT: "x" })),
    "bad value 'x' for MEMDB_PORT: argument couldn't be parsed into an integer",
  );
  assertEquals(
    complaint("--tls-port 6380"),
    "--tls-port 6380 is not supported: MemDB does not speak TLS; put a TLS proxy in front of it; leave the flag out",
  );
  assertEquals(
    complaint("", machine({}, { MEMDB_CLUSTER_ENABLED: "yes" })),
    "MEMDB_CLUSTER_ENABLED yes is not supported: MemDB is a single node; unset the variable",
  );
});

Deno.test("all that is wrong is told at once, over flags, variables and files", () => {
  const surroundings = machine({ "memdb.conf": "hz x\nfoo 1\ninclude none.conf\n" }, { MEMDB_TIMEOUT: "soon" });
  assertEquals(complaint("memdb.conf --prot 1 --port", surroundings).split("\n"), [
    "unknown flag --prot; did you mean --port?",
    "--port needs a value: PORT",
    "memdb.conf, line 2: unknown setting 'foo'; see memdb help serve",
    "memdb.conf, line 3: there is no config file 'none.conf'; create it, or remove the line",
    "memdb.conf, line 1: bad value 'x' for hz: argument couldn't be parsed into an integer",
    "bad value 'soon' for MEMDB_TIMEOUT: argument couldn't be parsed into an integer",
  ]);
});

Deno.test("an address must be left, and the log must have a folder", () => {
  assertEquals(
    complaint("memdb.conf", machine({ "memdb.conf": 'port 1\nbind ""\n' })),
    "memdb.conf, line 2: bind: without an address no client can connect; name one, or set unixsocket",
  );
  assertEquals(values('--unixsocket /run/memdb.sock --bind ""').bind, []);
  assertEquals(
    complaint("memdb.conf", machine({ "memdb.conf": "logfile no/such/folder/memdb.log\n" })),
    `memdb.conf, line 1: logfile: there is no folder '${resolve(FOLDER, "no/such/folder")}'; create it first`,
  );
  assertEquals(values("--logfile data/memdb.log").logfile, "data/memdb.log");
  assertStringIncludes(complaint("--logfile data"), "is a folder; name a file");
});

Deno.test("an include has wildcards in any part of its path, and leaves out hidden files", () => {
  const files = {
    "memdb.conf": "include conf.d/*/[ab].conf\ninclude none/*.conf\n",
    "conf.d/2/a.conf": "hz 12\n",
    "conf.d/1/b.conf": "hz 11\ntimeout 1\n",
    "conf.d/1/c.conf": "nonsense\n",
    "conf.d/.hidden/a.conf": "nonsense\n",
  };
  const { hz, timeout } = values("memdb.conf", machine(files));
  assertEquals([hz, timeout], [12, 1]);
  assertEquals(
    complaint("memdb.conf", machine({ "memdb.conf": "include a.conf b.conf\n" })),
    "memdb.conf, line 1: include takes one path; put a path with blanks into quotes",
  );
});

Deno.test("a value from a file cannot break a message into lines", () => {
  assertEquals(
    complaint("memdb.conf", machine({ "memdb.conf": 'hz "1\\n2"\n' })),
    "memdb.conf, line 1: bad value '1?2' for hz: argument couldn't be parsed into an integer",
  );
});

Deno.test("the environment is searched for mistakes, but not for what Kubernetes puts there", () => {
  const { settings, warnings } = parse(
    "",
    machine({}, {
      MEMDB_PORT: "tcp://10.0.0.7:6379",
      MEMDB_PORT_6379_TCP_ADDR: "10.0.0.7",
      MEMDB_SERVICE_HOST: "10.0.0.7",
      MEMDB_APENDFSYNC: "always",
      MEMDB_SOMETHING_ELSE_ENTIRELY: "1",
    }),
  );
  assertEquals(settings.values.port, 6379);
  assertEquals(warnings, ["environment variable MEMDB_APENDFSYNC is not known; did you mean MEMDB_APPENDFSYNC?"]);
});

Deno.test("dir can only become a folder that exists", () => {
  const { settings } = parse("--enable-protected-configs yes", machine({ "file": "x" }));
  settings.change([["dir", "data"]], true);
  assertEquals(settings.values.dir, resolve(FOLDER, "data"));
  const refused = (path: string) => assertThrows(() => settings.change([["dir", path]], true)).message;
  assertStringIncludes(refused("../nowhere"), "'dir') - No such file or directory");
  assertStringIncludes(refused("../file"), "'dir') - Not a directory");
});

Deno.test("the help names every setting that has an effect, in short lines", () => {
  const help = serveHelp(80);
  const everything = serveHelp(80, true);
  for (const { name, alias, idle, fixed, hidden } of allSettings) {
    const flag = alias === "host" ? "--host" : `--${name}`;
    const effect = idle === undefined && fixed === undefined && hidden === undefined;
    assertEquals(help.includes(`  ${flag} `), effect, name);
    assertStringIncludes(everything, `  ${flag} `);
  }
});

Deno.test("the help fits the columns of the output, and breaks no word", () => {
  const words = (text: string) => text.split(/\s+/);
  for (const columns of [40, 60, 80, 132]) {
    const help = serveHelp(columns, true);
    assertEquals(words(help), words(serveHelp(1000, true)));
    for (const line of help.slice(0, help.indexOf("\nExamples")).split("\n")) {
      // A line is wider only if it is one word, a flag with the name of its value, or the usage.
      const whole = /^ *\S+$|^ {2}--\S+ \S+( \.{3})?$|^Usage: /.test(line);
      assert(line.length <= columns || whole, `${columns}: ${line}`);
    }
  }
});

Deno.test("the help of the other subcommands has lines of at most 80 columns", () => {
  for (const line of [CHECK_AOF_HELP, IMPORT_HELP, EXPORT_HELP].join("\n").split("\n")) assert(line.length <= 80, line);
});

Deno.test("the command line answers help and version, and turns mistakes into one line and status 2", async () => {
  const run = async (...args: string[]) => {
    const main = new URL("../../main.ts", import.meta.url).href;
    const command = new Deno.Command(Deno.execPath(), { args: ["run", "--no-check", "-A", main, ...args] });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  };
  const [version, help, serveFlags, unknown, badFlag, badValue] = await Promise.all([
    run("--version"),
    run("help"),
    run("help", "serve"),
    run("srve"),
    run("--prot", "1"),
    run("serve", "--port", "x"),
  ]);
  assertEquals([version.code, /^memdb \d+\.\d+\.\d+ /.test(version.stdout)], [0, true]);
  assertStringIncludes(help.stdout, "memdb cli [flags]");
  assertStringIncludes(serveFlags.stdout, "--aofpath PATH");
  assertEquals(unknown, { code: 2, stdout: "", stderr: "memdb: unknown subcommand 'srve'; did you mean serve?\n" });
  assertEquals(badFlag, { code: 2, stdout: "", stderr: "memdb: unknown flag --prot; did you mean --port?\n" });
  assertEquals([badValue.code, badValue.stderr.split("\n").length], [2, 2]);
});
