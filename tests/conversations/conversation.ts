/**
 * Conversations: several clients of one server that take turns in a fixed order. After each step the harness waits until
 * the server has done all that the step led to, and collects what each client has received. So the same conversation with
 * two servers can be compared byte for byte, pushes and late replies included.
 */
import { assertEquals } from "@std/assert";
import { type Argument, encodeRequest, latin1 } from "../helpers/client.ts";
import { concatBytes } from "../helpers/wire.ts";

/** A client whose socket is always being read. */
class Listener {
  readonly #socket: Deno.Conn;
  #received: Uint8Array[] = [];
  closed = false;
  /** How often something was read. */
  readCount = 0;

  constructor(socket: Deno.Conn) {
    this.#socket = socket;
    void this.#read();
  }

  async #read(): Promise<void> {
    const room = new Uint8Array(64 * 1024);
    try {
      for (let count = await this.#socket.read(room); count !== null; count = await this.#socket.read(room)) {
        this.#received.push(room.slice(0, count));
        this.readCount++;
      }
    } catch {
      // The server or `close` has ended the connection.
    }
    this.closed = true;
  }

  async send(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
    } catch {
      this.closed = true;
    }
  }

  /** All that has arrived since the last call, as latin1 text. */
  take(): string {
    const text = latin1(concatBytes(this.#received));
    this.#received = [];
    return text;
  }

  close(): void {
    try {
      this.#socket.close();
    } catch {
      // It was closed already.
    }
  }
}

/** One step: a client and the command that it sends, as words; several commands of one client go as one pipeline. */
export type Step = readonly [client: string, ...commands: string[]];

const PING = encodeRequest(["PING"]);
/** Loops between the server and this process that a step may take to settle. */
const SETTLING_ROUNDS = 3;
/** Turns of this process's event loop without news after which all is quiet. */
const QUIET_TASKS = 5;

export class Conversation {
  readonly #address: Deno.ConnectOptions | Deno.UnixConnectOptions;
  readonly #clients = new Map<string, Listener>();
  #control: Listener | undefined;

  constructor(address: Deno.ConnectOptions | Deno.UnixConnectOptions) {
    this.#address = address;
  }

  async #connect(): Promise<Listener> {
    const address = this.#address;
    if ("path" in address) return new Listener(await Deno.connect(address));
    const socket = await Deno.connect(address);
    // A request that follows one without a reply must not wait until the system has acknowledged that one.
    socket.setNoDelay(true);
    return new Listener(socket);
  }

  /** Connects a client under a name. Clients that `say` names first are connected by it. */
  async join(name: string): Promise<void> {
    const client = await this.#connect();
    this.#clients.set(name, client);
    await client.send(PING);
    while (client.take() === "" && !client.closed) await nextTask();
  }

  /** Sends commands, waits until all is quiet, and returns what each client received: `{ a: "+OK\r\n" }`. */
  async say(client: string, ...commands: (string | readonly Argument[])[]): Promise<Record<string, string>> {
    const requests = commands.map((command) =>
      encodeRequest(typeof command === "string" ? command.split(" ") : command)
    );
    return await this.sendRaw(client, concatBytes(requests));
  }

  /** `say` with bytes as they are. */
  async sendRaw(client: string, bytes: Uint8Array): Promise<Record<string, string>> {
    if (!this.#clients.has(client)) await this.join(client);
    await this.#clients.get(client)!.send(bytes);
    return await this.settle();
  }

  /** Ends a client's connection without a word. */
  async leave(client: string): Promise<Record<string, string>> {
    this.#clients.get(client)?.close();
    this.#clients.delete(client);
    return await this.settle();
  }

  /** Waits until the server has answered another client several times, and returns what all clients received. */
  async settle(): Promise<Record<string, string>> {
    this.#control ??= await this.#connect();
    for (let round = 0; round < SETTLING_ROUNDS; round++) {
      await this.#control.send(PING);
      while (this.#control.take() === "" && !this.#control.closed) await nextTask();
    }
    for (let quiet = 0; quiet < QUIET_TASKS; quiet++) {
      const before = this.#receivedCount();
      await nextTask();
      if (this.#receivedCount() !== before) quiet = 0;
    }
    const received: Record<string, string> = {};
    for (const [name, client] of this.#clients) {
      const text = client.take();
      if (text !== "") received[name] = text;
      if (client.closed) {
        received[name] = `${text}(closed)`;
        this.#clients.delete(name);
      }
    }
    return received;
  }

  #receivedCount(): number {
    let count = 0;
    for (const client of this.#clients.values()) count += client.readCount;
    return count;
  }

  close(): void {
    for (const client of [...this.#clients.values(), this.#control]) client?.close();
  }
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Parts of replies that differ between servers and runs: ids of clients, addresses, times. */
export type Mask = (text: string) => string;

/** Runs the same steps with two servers, and compares all that every client receives. */
export async function compare(
  ours: Conversation,
  theirs: Conversation,
  steps: Iterable<Step>,
  mask: Mask = (text) => text,
): Promise<void> {
  const said: Step[] = [];
  for (const step of steps) {
    said.push(step);
    const [client, ...commands] = step;
    const quit = commands.length === 0;
    const [actual, expected] = await Promise.all(
      [ours, theirs].map((each) => quit ? each.leave(client) : each.say(client, ...commands)),
    );
    // Servers introduce themselves with names and versions of their own.
    if (commands.every((command) => command.startsWith("HELLO")) && !quit) continue;
    assertEquals(masked(actual, mask), masked(expected, mask), `after ${JSON.stringify(said)}`);
  }
}

function masked(received: Record<string, string>, mask: Mask): Record<string, string> {
  return Object.fromEntries(Object.entries(received).map(([name, text]) => [name, mask(text)]));
}
