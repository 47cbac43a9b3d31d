import { assertEquals } from "@std/assert";
import type { SeededRandom } from "../../src/core/random.ts";
import { quote } from "../../src/cli/quoting.ts";
import { testWith } from "../helpers/programs.ts";
import { pick, property, randomBytes } from "../helpers/property.ts";
import { latin1Text, type Outcome, run, runClient, startFakeServer, startRedis } from "./helpers.ts";

const modes = ["--no-raw", "--raw", "--csv", "--json", "--quoted-json"];

function differential(name: string, body: () => Promise<void>): void {
  testWith(["redis-cli", "redis-server"], name, body);
}

/** Gives the same input to redis-cli and to our client, in each output mode. */
async function compare(args: string[], input: string | undefined, reset: () => Promise<void> = async () => {}) {
  for (const mode of modes) {
    await reset();
    const expected = await run("redis-cli", [mode, ...args], { input });
    await reset();
    const actual = await runClient([mode, ...args], { input });
    const label = `${mode} ${args.join(" ")}`;
    assertEquals(actual.out.split("\n"), expected.out.split("\n"), label);
    assertEquals(actual.err, expected.err, label);
  }
}

differential("random replies of every type are printed as redis-cli prints them", async () => {
  await property(2, async (random) => {
    await using server = startFakeServer();
    const lines = Array.from({ length: 150 }, () => `R ${quote(randomReply(random, 4))}\n`);
    await compare(["-p", String(server.port)], lines.join(""));
  });
});

/** Replies of all types except those that redis-cli cannot read: bulk errors, attributes, big numbers, and pushes. */
function randomReply(random: SeededRandom, depth: number): string {
  const child = () => randomReply(random, depth - 1);
  const many = (times: number, make: () => string) => Array.from({ length: times }, make).join("");
  const content = () =>
    pick(random, [
      () => latin1Text(randomBytes(random, random.below(12))),
      () =>
        pick(random, ["", "plain", "two\nlines", "é", 'q"\\'])
          .replace("é", "\xc3\xa9"),
    ])();
  switch (random.below(depth > 0 ? 13 : 8)) {
    case 0:
      return `+${pick(random, ["OK", "", "QUEUED", 'a "b"\t\xc3\xa9'])}\r\n`;
    case 1:
      return `-${pick(random, ["ERR no", "WRONGTYPE a\tb", 'x "y"'])}\r\n`;
    case 2: {
      const text = content();
      return `$${text.length}\r\n${text}\r\n`;
    }
    case 3: {
      // redis-cli takes the length of the verbatim text from the reply and its end from a zero byte.
      const text = content().replaceAll("\0", ".");
      return `=${text.length + 4}\r\ntxt:${text}\r\n`;
    }
    case 4:
      return `:${pick(random, ["0", "-1", "9223372036854775807", "-9223372036854775808"])}\r\n`;
    case 5:
      return `,${pick(random, ["1.5", "inf", "-inf", "-0", "1e30", "0.1"])}\r\n`;
    case 6:
      return pick(random, ["#t\r\n", "#f\r\n"]);
    case 7:
      return pick(random, ["_\r\n", "$-1\r\n", "*-1\r\n"]);
    case 8:
    case 9: {
      const size = pick(random, [0, 1, 1, 2, 10]);
      return `%${size}\r\n${many(size, () => child() + child())}`;
    }
    default: {
      const size = pick(random, [0, 1, 1, 2, 3, 11]);
      return `${pick(random, ["*", "*", "~"])}${size}\r\n${many(size, child)}`;
    }
  }
}

differential("lines are split into arguments as redis-cli splits them", async () => {
  await property(2, async (random) => {
    await using server = startFakeServer((args) => {
      const text = args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("");
      return `*${args.length}\r\n${text}`;
    });
    const word = () => Array.from({ length: random.below(6) }, () => pick(random, [..."ab\\\"' x0\t\xe9"])).join("");
    const lines = Array.from(
      { length: 200 },
      () => `cmd ${word()}${pick(random, ['"', "'", ""])}${word()} ${word()}\n`,
    );
    await compare(["-p", String(server.port)], lines.join(""));
  });
});

differential("the same commands on a real server print the same, in both protocols", async () => {
  await using redis = await startRedis();
  const script = `
set a 1
set bin "\\x00\\xff\\"'"
get a
get bin
get nosuch
mget a nosuch bin
incr a
incrbyfloat a 1.5
append a x
incr a
rpush l a b c 1 2 3 4 5 6 7 8
lrange l 0 -1
lpop l 2
lpop nosuch 2
hset h f v g w
hgetall h
sadd s one
smembers s
zadd z 1.5 a 2 b
zrange z 0 -1 withscores
zscore z a
zpopmin z
xadd st 1-1 f v g w
xrange st - +
xread streams st 0
config get maxmemory*
config get nosuch
type l
nosuch a b
set
multi
incr a
lrange l 0 0
hgetall h
exec
multi
nosuch
exec
object encoding l
debug protocol double
debug protocol map
debug protocol set
debug protocol null
debug protocol verbatim
debug protocol true
debug protocol array
eval "return {1,{2,{3,'x'}},redis.error_reply('E my'),redis.status_reply('S')}" 0
command docs get
command info get
memory doctor
memory doctor x
client info x
latency doctor
acl getuser default
function help
geoadd g 13.36 38.11 p
geopos g p nosuch
scan 0 match l
client getname
select 3
get a
subscribe ch other
ping
unsubscribe
3 ping
`;
  const reset = async () => {
    await run("redis-cli", ["-p", String(redis.port), "flushall"]);
  };
  for (const protocol of ["-2", "-3"]) await compare([protocol, "-p", String(redis.port)], script, reset);
});

differential("single commands end alike, and -e gives the same exit status", async () => {
  await using redis = await startRedis();
  const port = ["-p", String(redis.port)];
  await run("redis-cli", [...port, "set", "a", "1"]);
  const cases = [
    ["get", "a"],
    ["-r", "2", "get", "a"],
    ["-n", "3", "dbsize"],
    ["-d", ";", "mget", "a", "a"],
    ["-D", "|", "mget", "a", "a"],
    ["-e", "nosuch"],
    ["-e", "get", "a"],
    ["--quoted-input", "get", '"\\x61"'],
    ["--scan"],
    ["--scan", "--pattern", "b*"],
    ["-a", "x", "--no-auth-warning", "get", "a"],
    ["-p", "1", "ping"],
    ["--name", "me", "client", "getname"],
    ["-4", "-h", "localhost", "get", "a"],
    ["unsubscribe"],
  ];
  for (const args of cases) {
    for (const mode of ["--no-raw", "--raw"]) {
      const expected = await run("redis-cli", [...port, mode, ...args]);
      assertEquals(await runClient([...port, mode, ...args]), expected, `${mode} ${args.join(" ")}`);
    }
  }
});

differential("large and hot keys are found alike, types in any order", async () => {
  await using redis = await startRedis();
  const port = ["-p", String(redis.port)];
  const setup = 'config set maxmemory-policy allkeys-lfu\nset s hello\nset bin "\\xff"\nrpush l a b c\nsadd set a\n' +
    "zadd z 1 a 2 b\nhset h f v\nxadd st 1-1 f v\n";
  await run("redis-cli", port, { input: setup });
  const sorted = ({ out, ...rest }: Outcome) => ({ out: out.split("\n").sort(), ...rest });
  for (
    const args of [["--bigkeys"], ["--memkeys"], ["--memkeys-samples", "0"], ["--bigkeys", "--pattern", "s*"], [
      "--hotkeys",
    ]]
  ) {
    const expected = await run("redis-cli", [...port, ...args]);
    assertEquals(sorted(await runClient([...port, ...args])), sorted(expected), args.join(" "));
  }
});

differential("messages are printed alike, one JSON document for each", async () => {
  const cases = [
    ...modes.map((mode) => [mode, "subscribe", "ch", "\xe9"]),
    ["--json", "psubscribe", "c*", "?"],
    ["--json", "ssubscribe", "shard"],
  ].flatMap((words) => [["-2", ...words], ["-3", ...words]]);
  const redis = await startRedis();
  const admin = async (...args: string[]) => (await run("redis-cli", ["-p", String(redis.port), ...args])).out;
  // Both programs see the end of the connection when the server ends.
  const outcomes = cases.map((words) => {
    const args = ["-p", String(redis.port), ...words];
    return Promise.all([run("redis-cli", args), runClient(args)]);
  });
  const subscribed = async () =>
    (await admin("pubsub", "numsub", "ch")) === "ch\n20\n" &&
    (await admin("pubsub", "shardnumsub", "shard")) === "shard\n4\n" && (await admin("pubsub", "numpat")) === "2\n";
  while (!await subscribed()) await new Promise((resolve) => setTimeout(resolve, 20));
  for (const content of ["plain", 'é "quoted"', "two\nlines", ""]) {
    await admin("publish", "ch", content);
    await admin("spublish", "shard", content);
  }
  await redis[Symbol.asyncDispose]();
  for (const [index, [expected, actual]] of (await Promise.all(outcomes)).entries()) {
    assertEquals(actual, expected, cases[index]!.join(" "));
  }
});

differential("pushes among the replies of a pipe are printed alike", async () => {
  await using redis = await startRedis();
  const script = `
client tracking on
set a 1
mget a b
set a 2
get a
set a 3
ping
subscribe ch
mget a b
set b 1
flushall
publish ch hello
unsubscribe
multi
subscribe one
exec
ping
`;
  const reset = async () => {
    await run("redis-cli", ["-p", String(redis.port), "flushall"]);
  };
  await compare(["-3", "--show-pushes", "yes", "-p", String(redis.port)], script, reset);
});
