/**
 * A client for tests. It keeps replies as the received bytes, so that tests compare exactly the bytes sent.
 */
import { concatBytes, replyEnd } from "./wire.ts";

export type Argument = string | number | Uint8Array;

const encoder = new TextEncoder();

/** A request in RESP; text is latin1, one byte per character. */
export function encodeRequest(args: readonly Argument[]): Uint8Array {
  const parts: Uint8Array[] = [encoder.encode(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = arg instanceof Uint8Array ? arg : Uint8Array.from(String(arg), (c) => c.charCodeAt(0));
    parts.push(encoder.encode(`$${bytes.length}\r\n`), bytes, encoder.encode("\r\n"));
  }
  return concatBytes(parts);
}

export class TestClient {
  readonly #socket: Deno.Conn;
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  static async connect(port: number): Promise<TestClient> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    socket.setNoDelay(true);
    return new TestClient(socket);
  }

  /** Sends bytes unchanged. */
  async send(bytes: Uint8Array | string): Promise<void> {
    const data = typeof bytes === "string" ? Uint8Array.from(bytes, (c) => c.charCodeAt(0)) : bytes;
    for (let at = 0; at < data.length;) at += await this.#socket.write(data.subarray(at));
  }

  /** The next reply as latin1 text of its RESP, for example "+OK\r\n". Throws when the server closed the connection. */
  async receive(): Promise<string> {
    for (;;) {
      const end = replyEnd(this.#buffer, 0);
      if (end >= 0) {
        const text = latin1(this.#buffer.subarray(0, end));
        this.#buffer = this.#buffer.subarray(end);
        return text;
      }
      const chunk = new Uint8Array(64 * 1024);
      const count = await this.#socket.read(chunk);
      if (count === null) throw new Error("the server closed the connection");
      this.#buffer = concatBytes([this.#buffer, chunk.subarray(0, count)]);
    }
  }

  /** Sends one command and returns its reply as RESP text. */
  async command(...args: Argument[]): Promise<string> {
    await this.send(encodeRequest(args));
    return await this.receive();
  }

  /** Sends a command given as words between spaces; there is no quoting. */
  run(line: string): Promise<string> {
    return this.command(...line.split(" "));
  }

  /** Reads until the server closes the connection; returns the bytes read, as latin1 text. */
  async drain(): Promise<string> {
    let text = latin1(this.#buffer);
    this.#buffer = new Uint8Array(0);
    const chunk = new Uint8Array(64 * 1024);
    try {
      for (let count = await this.#socket.read(chunk); count !== null; count = await this.#socket.read(chunk)) {
        text += latin1(chunk.subarray(0, count));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
    return text;
  }

  /** Reads and discards `count` bytes, or fewer if the server closes the connection first. Returns their number. */
  async skip(count: number): Promise<number> {
    let read = Math.min(count, this.#buffer.length);
    this.#buffer = this.#buffer.subarray(read);
    const room = new Uint8Array(256 * 1024);
    while (read < count) {
      const size = await this.#socket.read(room.subarray(0, Math.min(room.length, count - read)));
      if (size === null) break;
      read += size;
    }
    return read;
  }

  /** Closes the sending direction; replies can still be read. */
  async closeWrite(): Promise<void> {
    await (this.#socket as Deno.TcpConn).closeWrite();
  }

  close(): void {
    try {
      this.#socket.close();
    } catch {
      // The connection is already closed.
    }
  }
}

export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}
