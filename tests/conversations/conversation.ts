/**
 * Conversations: several clients of one server that take turns in a fixed order. After each step the harness waits
 * until the server has finished all resulting work, and collects the bytes received by each client. So the same
 * conversation with two servers can be compared byte for byte, pushes and late replies included.
 */
import { assertEquals, equal } from "@std/assert";
import { type Argument, encodeRequest, latin1 } from "../helpers/client.ts";
import { concatBytes } from "../helpers/wire.ts";

/** A client that reads its socket continuously. */
export class Listener {
  readonly #socket: Deno.Conn;
  #received: Uint8Array[] = [];
  closed = false;
  /** Number of reads that returned data or the end. */
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
    this.readCount++;
  }

  async send(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
    } catch {
      this.closed = true;
    }
  }

  /** All bytes received since the last call, as latin1 text. */
  take(): string {
    const text = latin1(concatBytes(this.#received));
    this.#received = [];
    return text;
  }

  close(): void {
    try {
      this.#socket.close();
    } catch {
      // The connection is already closed.
    }
  }
}

/**
 * One step: a client and its command, as words; several commands of one client are sent as one pipeline. `{b}` stands
 * for the id of client b.
 */
export type Step = readonly [client: string, ...commands: string[]];

const PING = encodeRequest(["PING"]), CLIENT_ID = encodeRequest(["CLIENT", "ID"]);
/** The places in which a reply or message names the session that receives invalidations. */
const RECEIVER = /((?:tracking-redir-broken|redirect)\r\n):(\d+)/g;
/** Maximum number of round trips between the server and this process until a step settles. */
const SETTLING_ROUNDS = 3;
/** Turns of this process's event loop without new data after which the conversation counts as quiet. */
const QUIET_TASKS = 5;

export class Conversation {
  readonly #address: Deno.ConnectOptions | Deno.UnixConnectOptions;
  readonly #clients = new Map<string, Listener>();
  /** The ids of all clients that have joined, by name, and their names by id. */
  readonly #ids = new Map<string, string>();
  readonly #names = new Map<string, string>();
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

  /** Connects a client under a name. `say` connects the other clients at their first use. */
  async join(name: string): Promise<void> {
    const client = await this.#connect();
    this.#clients.set(name, client);
    await client.send(CLIENT_ID);
    let reply = "";
    while (reply === "" && !client.closed) {
      await nextTask();
      reply = client.take();
    }
    const id = reply.slice(1).trimEnd();
    this.#ids.set(name, id);
    this.#names.set(id, name);
  }

  /** Sends commands, waits until all is quiet, and returns the bytes received by each client: `{ a: "+OK\r\n" }`. */
  async say(client: string, ...commands: (string | readonly Argument[])[]): Promise<Record<string, string>> {
    for (const command of commands) {
      for (const [, name] of typeof command === "string" ? command.matchAll(/\{(\w+)\}/g) : []) {
        if (!this.#ids.has(name)) await this.join(name);
      }
    }
    const requests = commands.map((command) =>
      encodeRequest(typeof command === "string" ? this.#withIds(command).split(" ") : command)
    );
    return await this.sendRaw(client, concatBytes(requests));
  }

  #withIds(command: string): string {
    return command.replace(/\{(\w+)\}/g, (whole, name) => this.#ids.get(name) ?? whole);
  }

  #withNames(text: string): string {
    return text.replace(
      RECEIVER,
      (whole, before, id) => this.#names.has(id) ? `${before}:{${this.#names.get(id)}}` : whole,
    );
  }

  /** `say` with raw bytes. */
  async sendRaw(client: string, bytes: Uint8Array): Promise<Record<string, string>> {
    if (!this.#clients.has(client)) await this.join(client);
    await this.#clients.get(client)!.send(bytes);
    return await this.settle();
  }

  /** Closes a client's connection without a command. */
  async leave(client: string): Promise<Record<string, string>> {
    this.#clients.get(client)?.close();
    this.#clients.delete(client);
    return await this.settle();
  }

  /**
   * Waits until the server has answered another client several times, and returns the bytes received by all clients.
   */
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
      const text = this.#withNames(client.take());
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

/** Resolves in a later turn of the event loop of this process. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Parts of replies that differ between servers and runs: client ids, addresses, times. */
export type Mask = (text: string) => string;

/**
 * A server may finish a command in another thread, and a busy machine may hold a process up. If the servers seem to
 * differ after a step, the rest is awaited so often, for so many milliseconds each.
 */
const LATE_WAITS = 500, LATE_MS = 10;

/** Runs the same steps on two servers, and compares all bytes that every client receives. */
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
    // Each server's greeting has its own name and version.
    if (commands.every((command) => command.startsWith("HELLO")) && !quit) continue;
    for (let wait = 0; wait < LATE_WAITS && !equal(masked(actual, mask), masked(expected, mask)); wait++) {
      await new Promise((resolve) => setTimeout(resolve, LATE_MS));
      append(actual, await ours.settle());
      append(expected, await theirs.settle());
    }
    assertEquals(masked(actual, mask), masked(expected, mask), `after ${JSON.stringify(said)}`);
  }
}

/** Adds bytes that were received later. */
function append(received: Record<string, string>, later: Record<string, string>): void {
  for (const [name, text] of Object.entries(later)) received[name] = (received[name] ?? "") + text;
}

function masked(received: Record<string, string>, mask: Mask): Record<string, string> {
  return Object.fromEntries(Object.entries(received).map(([name, text]) => [name, mask(text)]));
}
