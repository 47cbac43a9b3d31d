/**
 * For tests of the client: a server whose replies the test defines, and the client in a separate process.
 */

/** Bytes of a string of characters below 256. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Returns RESP for a request; undefined closes the connection. Each connection has one state object. */
export type Responder = (args: string[], state: Map<string, string>) => string | undefined;

/** `R <resp>` replies with exactly these bytes; GET and SET work; AUTH expects "secret"; other commands are errors. */
export const plainResponder: Responder = (args, state) => {
  const bulk = (text: string | undefined) => text === undefined ? "$-1\r\n" : `$${text.length}\r\n${text}\r\n`;
  switch (args[0]!.toUpperCase()) {
    case "R":
      return args[1]!;
    case "PING":
      return state.has("subscribed") ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : "+PONG\r\n";
    case "SET":
      state.set("key " + args[1], args[2]!);
      return "+OK\r\n";
    case "GET":
      return bulk(state.get("key " + args[1]));
    case "AUTH":
      return args.at(-1) === "secret"
        ? "+OK\r\n"
        : "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    case "SELECT":
      return Number(args[1]) < 16 ? "+OK\r\n" : "-ERR DB index is out of range\r\n";
    case "HELLO":
      return "%1\r\n$5\r\nproto\r\n:3\r\n";
    case "MULTI":
    case "DISCARD":
      return "+OK\r\n";
    case "EXEC":
      return "*0\r\n";
    case "SUBSCRIBE":
      state.set("subscribed", "yes");
      return args.slice(1).map((name, index) => `*3\r\n$9\r\nsubscribe\r\n${bulk(name)}:${index + 1}\r\n`).join("") +
        `*3\r\n$7\r\nmessage\r\n${bulk(args[1])}$2\r\nhi\r\n`;
    case "MONITOR":
      return '+OK\r\n+1.0 [0 127.0.0.1:1] "seen"\r\n';
    case "BLOCK":
      return "";
    case "BYE":
      return undefined;
    case "COMMAND":
      return "%1\r\n$5\r\nother\r\n%2\r\n$7\r\nsummary\r\n$7\r\nAnother\r\n$9\r\narguments\r\n" +
        "*1\r\n%2\r\n$4\r\nname\r\n$5\r\nthing\r\n$4\r\ntype\r\n$6\r\nstring\r\n";
    default:
      return `-ERR unknown command '${args[0]}'\r\n`;
  }
};

export interface FakeServer extends AsyncDisposable {
  readonly port: number;
  /** Every request, in order. */
  readonly requests: string[][];
  /** Sends RESP to every connection without a request. */
  send(resp: string): void;
  /** Closes all connections; new ones are accepted. */
  hangUp(): void;
}

/** Listens on a free port of the loopback interface. */
export function startFakeServer(respond: Responder = plainResponder): FakeServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const requests: string[][] = [];
  const serve = async (conn: Deno.Conn) => {
    const state = new Map<string, string>();
    let unread = "";
    const buffer = new Uint8Array(65536);
    for (let size = await conn.read(buffer); size !== null; size = await conn.read(buffer)) {
      unread += latin1Text(buffer.subarray(0, size));
      for (let next = takeRequest(unread); next !== undefined; next = takeRequest(unread)) {
        unread = next.rest;
        requests.push(next.args);
        const reply = respond(next.args, state);
        if (reply === undefined) return;
        const out = bytes(reply);
        for (let at = 0; at < out.length;) at += await conn.write(out.subarray(at));
      }
    }
  };
  const close = (conn: Deno.Conn) => {
    if (open.delete(conn)) conn.close();
  };
  const accepting = (async () => {
    for await (const conn of listener) {
      open.add(conn);
      serve(conn).catch(() => {}).finally(() => close(conn));
    }
  })();
  const hangUp = () => [...open].forEach(close);
  return {
    port: listener.addr.port,
    requests,
    send: (resp) => open.forEach((conn) => conn.write(bytes(resp))),
    hangUp,
    async [Symbol.asyncDispose]() {
      listener.close();
      hangUp();
      await accepting.catch(() => {});
    },
  };
}

function takeRequest(text: string): { args: string[]; rest: string } | undefined {
  const header = /^\*(\d+)\r\n/.exec(text);
  if (header === null) return undefined;
  const args: string[] = [];
  let at = header[0].length;
  for (let left = Number(header[1]); left > 0; left--) {
    const bulk = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20));
    if (bulk === null) return undefined;
    const start = at + bulk[0].length;
    at = start + Number(bulk[1]) + 2;
    if (at > text.length) return undefined;
    args.push(text.slice(start, at - 2));
  }
  return { args, rest: text.slice(at) };
}

export function latin1Text(content: Uint8Array): string {
  return Array.from(content, (byte) => String.fromCharCode(byte)).join("");
}

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program until it ends; output as byte strings. */
export async function run(
  program: string,
  args: readonly string[],
  { input, env }: { input?: string; env?: Record<string, string> } = {},
): Promise<Outcome> {
  const child = new Deno.Command(program, {
    args: [...args],
    env: { MEMDB_HISTFILE: "/dev/null", ...env },
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    // A program may end before it has read its input; the test checks its output.
    await writer.write(bytes(input)).then(() => writer.close(), () => {});
  }
  const { code, stdout, stderr } = await output;
  return { code, out: latin1Text(stdout), err: latin1Text(stderr) };
}

/** Deno's arguments that run the client with the tests' table. */
export const clientCommand: readonly string[] = [
  "run",
  "--quiet",
  "--no-check",
  "--cached-only",
  "--allow-net",
  "--allow-env",
  "--allow-read",
  "--allow-write",
  new URL("./table.ts", import.meta.url).pathname,
];

/** Runs our client. */
export function runClient(
  args: readonly string[],
  more?: { input?: string; env?: Record<string, string> },
): Promise<Outcome> {
  return run(Deno.execPath(), [...clientCommand, ...args], more);
}
/** A redis-server on a free port without persistence. */
export async function startRedis(): Promise<AsyncDisposable & { port: number }> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "yes"];
  const child = new Deno.Command("redis-server", { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}
