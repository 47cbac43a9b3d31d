import { assert, assertEquals } from "@std/assert";
import { clientCommand, run, runClient, startFakeServer } from "./helpers.ts";

Deno.test("one command from the arguments prints its reply; an error reply makes the exit status 1", async () => {
  await using server = startFakeServer();
  const port = ["-p", String(server.port)];
  const cases: [args: string[], code: number, out: string, err: string][] = [
    [["ping"], 0, "PONG\n", ""],
    [["--no-raw", "R", "*2\r\n:1\r\n$1\r\na\r\n"], 0, '1) (integer) 1\n2) "a"\n', ""],
    [["nosuch"], 1, "ERR unknown command 'nosuch'\n\n", ""],
    [["-e", "--no-raw", "nosuch"], 1, "", "ERR unknown command 'nosuch'\n"],
    [["-r", "3", "-i", "0.01", "ping"], 0, "PONG\nPONG\nPONG\n", ""],
    [["-d", ", ", "-D", "|", "R", "*2\r\n:1\r\n:2\r\n"], 0, "1, 2|", ""],
    [["-n", "99", "ping"], 1, "", "SELECT 99 failed: ERR DB index is out of range\n"],
    [["BYE"], 1, "", "Error: Server closed the connection\n"],
    [["R", "?\r\n"], 1, "", 'Error: Protocol error, got "?" as reply type byte\n'],
    [["help", "config", "rewrite"], 0, "\n  CONFIG REWRITE\n", ""],
    [["--version"], 0, "memdb cli ", ""],
    [["--jsno", "ping"], 2, "", "memdb cli: unknown flag --jsno, did you mean --json?\n"],
    [["-a", "secret", "ping"], 0, "PONG\n", "Warning: Using a password with '-a' or '-u' option"],
    [["-a", "wrong", "--no-auth-warning", "ping"], 0, "PONG\n", "AUTH failed: WRONGPASS invalid"],
  ];
  for (const [args, code, out, err] of cases) {
    const outcome = await runClient([...port, ...args]);
    const label = `${args.join(" ")}: ${JSON.stringify(outcome)}`;
    assertEquals(outcome.code, code, label);
    assert(outcome.out.startsWith(out) && outcome.err.startsWith(err), label);
    if (out === "" || out.endsWith("\n") && args[0] !== "help") assertEquals(outcome.out, out, label);
  }
});

Deno.test("a connection is prepared with password, database and protocol, in this order", async () => {
  await using server = startFakeServer();
  const url = `redis://alice:secret@127.0.0.1:${server.port}/3`;
  assertEquals((await runClient(["--no-auth-warning", "-3", "-u", url, "ping"])).out, "PONG\n");
  assertEquals(server.requests, [["AUTH", "alice", "secret"], ["SELECT", "3"], ["HELLO", "3"], ["ping"]]);
});

Deno.test("the password may come from the environment, and the warning does not", async () => {
  await using server = startFakeServer();
  const outcome = await runClient(["-p", String(server.port), "ping"], { env: { REDISCLI_AUTH: "secret" } });
  assertEquals([outcome.out, outcome.err, server.requests[0]], ["PONG\n", "", ["AUTH", "secret"]]);
});

Deno.test("an argument may come from the standard input, byte by byte as it is", async () => {
  await using server = startFakeServer();
  const port = ["-p", String(server.port)];
  await runClient([...port, "-x", "set", "a"], { input: "\0\xff\n" });
  await runClient([...port, "-X", "tag", "set", "a", "tag", "xx"], { input: "v" });
  assertEquals(server.requests, [["set", "a", "\0\xff\n"], ["set", "a", "v", "xx"]]);
});

Deno.test("--eval sends the script, the keys and behind a comma the arguments", async () => {
  await using server = startFakeServer();
  const script = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(script, "return 1");
    await runClient(["-p", String(server.port), "--eval", script, "k1", "k2", ",", "a1"]);
    assertEquals(server.requests, [["EVAL", "return 1", "2", "k1", "k2", "a1"]]);
  } finally {
    await Deno.remove(script);
  }
});

Deno.test("commands from a pipe run in turn, with the client's own words among them", async () => {
  await using server = startFakeServer();
  const input = [
    "set a 1",
    "get a",
    '"unbalanced',
    "",
    'set b "x\\x00y"',
    "2 ping",
    "0 ping",
    "nosuch",
    "BYE",
    "ping",
    ":set nohints",
    ":nonsense",
    "subscribe ch",
    "ping",
    "quit",
    "never sent",
  ].join("\n");
  const { code, out, err } = await runClient(["-p", String(server.port)], { input });
  assertEquals(
    out,
    "OK\n1\nInvalid argument(s)\nOK\nPONG\nPONG\nInvalid repeat count, it must be at least 1\n" +
      "ERR unknown command 'nosuch'\n\nPONG\n" +
      `unknown client setting ':nonsense', there are ":set hints" and ":set nohints"\n` +
      "subscribe\nch\n1\nmessage\nch\nhi\npong\n\n",
  );
  assertEquals([code, err], [0, "Error: Server closed the connection\n"]);
  assertEquals(server.requests.filter(([command]) => command === "set")[1], ["set", "b", "x\0y"]);
  assertEquals(server.requests.some(([command]) => command === "never"), false);
});

Deno.test("with -e the exit status of a pipe tells whether all commands succeeded", async () => {
  await using server = startFakeServer();
  const client = (input: string) => runClient(["-e", "-p", String(server.port)], { input });
  assertEquals((await client("ping\nping")).code, 0);
  assertEquals((await client("nosuch\nping")).code, 1);
});

Deno.test("arguments that are not UTF-8 arrive as they are, and are refused where their bytes are lost", async () => {
  const linux = Deno.build.os === "linux";
  await using server = startFakeServer();
  const words = ["set", "\xff\xc3\xa9", "", "\xfe\xc3"];
  /** Runs a program with arguments of arbitrary bytes, which only a shell can pass. */
  const runBytes = (program: readonly string[]) => {
    const octal = (char: string) => "\\" + char.charCodeAt(0).toString(8).padStart(3, "0");
    const quoted = [...program, "-p", String(server.port), ...words].map((word) =>
      `"$(printf '${Array.from(word, octal).join("")}')"`
    );
    return run("sh", ["-c", `cd '${root}' && exec ${quoted.join(" ")}`]);
  };
  const root = new URL("../..", import.meta.url).pathname;
  const [runWord, ...flags] = clientCommand;
  const client = [Deno.execPath(), runWord!];
  if (linux) {
    for (const program of [[...client, "--allow-ffi", ...flags], [Deno.execPath(), "task", "-q", "cli"]]) {
      assertEquals(await runBytes(program), { code: 0, out: "OK\n", err: "" }, program.join(" "));
      assertEquals(server.requests.pop(), words);
    }
  }
  const refused = await runBytes([...client, ...flags]);
  assertEquals([refused.code, refused.out, server.requests], [2, "", []]);
  assert(refused.err.startsWith("memdb cli: argument 4 is not UTF-8, and its bytes cannot be read"), refused.err);
});

Deno.test("text outside ASCII reaches the server as UTF-8, in arguments, passwords and names", async () => {
  await using server = startFakeServer();
  const flags = ["-p", String(server.port), "--no-auth-warning", "--user", "é", "-a", "ü€", "--name", "ñ"];
  await runClient([...flags, "set", "é", "€"]);
  assertEquals(server.requests, [
    ["AUTH", "\xc3\xa9", "\xc3\xbc\xe2\x82\xac"],
    ["CLIENT", "SETNAME", "\xc3\xb1"],
    ["set", "\xc3\xa9", "\xe2\x82\xac"],
  ]);
});

Deno.test("-c follows redirections to other servers, and gives up when they do not end", async () => {
  await using owner = startFakeServer();
  await using first = startFakeServer(([command]) => `-MOVED 866 :${command === "set" ? owner.port : first.port}\r\n`);
  await using asked = startFakeServer(() => `-ASK 866 127.0.0.1:${owner.port}\r\n`);
  const from = (server: { port: number }, ...args: string[]) => runClient(["-p", String(server.port), ...args]);
  assertEquals(await from(first, "-c", "set", "a", "1"), { code: 0, out: "OK\n", err: "" });
  assertEquals(await from(asked, "-c", "set", "b", "2"), { code: 0, out: "OK\n", err: "" });
  assertEquals(owner.requests, [["set", "a", "1"], ["ASKING"], ["set", "b", "2"]]);
  const endless = await from(first, "-c", "get", "a");
  assertEquals([endless.code, endless.err], [1, "Error: 16 redirections for one command\n"]);
  assertEquals((await from(first, "set", "a", "1")).out, `MOVED 866 :${owner.port}\n\n`);
});

Deno.test("MONITOR and SUBSCRIBE from the arguments stream until the server goes", async () => {
  for (
    const [command, out] of [["monitor", 'OK\n1.0 [0 127.0.0.1:1] "seen"\n'], [
      "subscribe",
      "subscribe\nch\n1\nmessage\nch\nhi\n",
    ]]
  ) {
    await using server = startFakeServer();
    const running = runClient(["-p", String(server.port), command!, ...(command === "subscribe" ? ["ch"] : [])]);
    while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    // The server writes these replies together with the answer, so they arrive before the end of the connection.
    await new Promise((resolve) => setTimeout(resolve, 20));
    server.hangUp();
    assertEquals(await running, { code: 1, out: out!, err: "Error: Server closed the connection\n" });
  }
});

Deno.test("a server that is not there is named, with the system's reason", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const refused = `Could not connect to Redis at 127.0.0.1:${port}: Connection refused\n`;
  assertEquals(await runClient(["-p", String(port), "ping"]), { code: 1, out: "", err: refused });
  assertEquals(await runClient(["-p", String(port)], { input: "ping\n" }), { code: 1, out: "", err: refused });
});

Deno.test("--pipe sends RESP or lines and counts replies and errors", async () => {
  await using server = startFakeServer((args) => {
    if (args[0] === "ECHO") return `$${args[1]!.length}\r\n${args[1]}\r\n`;
    return args[0] === "bad" ? "-ERR bad\r\n" : "+OK\r\n";
  });
  const client = (input: string) => runClient(["-p", String(server.port), "--pipe"], { input });
  const told = "All data transferred. Waiting for the last reply...\nLast reply received from server.\n";
  assertEquals(await client("*2\r\n$3\r\nset\r\n$1\r\na\r\n*1\r\n$3\r\nget\r\n"), {
    code: 0,
    out: told + "errors: 0, replies: 2\n",
    err: "",
  });
  assertEquals(await client('set "a b" 1\nbad\n\nset b 2'), {
    code: 1,
    out: told + "errors: 1, replies: 3\n",
    err: "ERR bad\n",
  });
  assert(server.requests.some((args) => args[1] === "a b"));
  await using silent = startFakeServer(() => "");
  const outcome = await runClient(["-p", String(silent.port), "--pipe", "--pipe-timeout", "0.05"], {
    input: "set a 1\n",
  });
  assertEquals([outcome.code, outcome.err], [1, "No replies for 0.05 seconds: exiting.\n"]);
});

Deno.test("--scan, --bigkeys and --memkeys walk the whole keyspace", async () => {
  const types: Record<string, [type: string, size: number]> = {
    a: ["string", 3],
    b: ["string", 10],
    l: ["list", 2],
    m: ["module-type", 0],
  };
  await using server = startFakeServer(([command, key, option]) => {
    switch (command) {
      case "SCAN":
        return key === "0"
          ? "*2\r\n$2\r\n17\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
          : "*2\r\n$1\r\n0\r\n*3\r\n$1\r\nl\r\n$1\r\nm\r\n$4\r\ngone\r\n";
      case "TYPE":
        return `+${types[key!]?.[0] ?? "none"}\r\n`;
      case "DBSIZE":
        return ":4\r\n";
      case "READONLY":
        return "-ERR This instance has cluster support disabled\r\n";
      case "MEMORY":
        return `:${types[option!]![1] + 50}\r\n`;
      default:
        return `:${types[key!]![1]}\r\n`;
    }
  });
  const port = ["-p", String(server.port)];
  assertEquals((await runClient([...port, "--scan", "--pattern", "*", "--count", "2"])).out, "a\nb\nl\nm\ngone\n");
  assertEquals(server.requests[0], ["SCAN", "0", "MATCH", "*", "COUNT", "2"]);
  const big = (await runClient([...port, "--bigkeys"])).out;
  for (
    const part of [
      'Biggest string found "b" has 10 bytes',
      'Biggest   list found "l" has 2 items',
      "Sampled 4 keys",
      "2 strings with 13 bytes",
      "1 module-types with 0 ?",
    ]
  ) assert(big.includes(part), big);
  const memory = (await runClient([...port, "--memkeys"])).out;
  for (const part of ['found "b" has 60 bytes', 'Biggest module-type found "m" has 50 bytes']) {
    assert(memory.includes(part), memory);
  }
});

Deno.test("--stat prints a line of figures, --latency a summary where the output is not a terminal", async () => {
  const info = "used_memory:1536\r\nconnected_clients:2\r\nblocked_clients:1\r\ntotal_commands_processed:100\r\n" +
    "total_connections_received:7\r\ndb0:keys=5,expires=0\r\ndb3:keys=1,expires=0\r\n";
  await using server = startFakeServer(([command]) =>
    command === "INFO" ? `$${info.length}\r\n${info}\r\n` : "+PONG\r\n"
  );
  const port = ["-p", String(server.port)];
  const stat = (await runClient([...port, "--stat", "-r", "2", "-i", "0.01"])).out.split("\n");
  assertEquals(
    stat.slice(2),
    Array(2).fill("6          1.50K    2       1       100 (+0)            7           ").concat(""),
  );
  const latency = await runClient([...port, "--latency", "-i", "0.02", "--csv"]);
  assert(/^\d+\.\d\d,\d+\.\d\d,\d+\.\d\d,\d+\n$/.test(latency.out), latency.out);
  const history = await runClient([...port, "--latency-history", "-i", "0.02", "-r", "2", "--no-raw"]);
  const line = "min: [\\d.]+, max: [\\d.]+, avg: [\\d.]+ \\(\\d+ samples\\) -- 0\\.\\d\\d seconds range\\n";
  assert(new RegExp(`^(${line}){2}$`).test(history.out), history.out);
});

Deno.test("--lru-test counts hits and misses of a cache, --intrinsic-latency measures the machine alone", async () => {
  const keys = new Set<string>();
  await using server = startFakeServer(([command, key]) => {
    keys.add(key!);
    return command === "SET" ? "+OK\r\n" : key === "lru:1" ? "$1\r\na\r\n" : "$-1\r\n";
  });
  const cache = await runClient(["-p", String(server.port), "--lru-test", "3", "-r", "2"]);
  assert(/^(\d+ Gets\/sec \| Hits: \d+ \(\d+\.\d\d%\) \| Misses: \d+ \(\d+\.\d\d%\)\n){2}$/.test(cache.out), cache.out);
  assertEquals([...keys].sort(), ["lru:1", "lru:2", "lru:3"]);
  const machine = await runClient(["--intrinsic-latency", "1"]);
  const summary =
    /\n\n\d+ total runs \(avg latency: [\d.]+ microseconds \/ [\d.]+ nanoseconds per run\)\.\nWorst run took /;
  assert(summary.test(machine.out), machine.out);
});
