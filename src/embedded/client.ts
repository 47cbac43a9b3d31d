/**
 * A client in the same process, for MemDB.command: it sends requests through a pipe, in RESP3, and returns native
 * values in the order of the requests.
 */
import { encodeRequest, ReplyDecoder } from "../resp/decoder.ts";
import { type PipeClient, PipeSocket } from "./pipe.ts";
import { type Argument, bytesOf, ReplyError, type Value, valueOf } from "./values.ts";

interface Waiting {
  resolve(value: Value): void;
  reject(error: Error): void;
}

export class EmbeddedClient implements PipeClient {
  readonly socket: PipeSocket;
  readonly #decoder = new ReplyDecoder();
  readonly #waiting: Waiting[] = [];
  #open = true;

  constructor(number: number) {
    this.socket = new PipeSocket(this, number);
    this.#send(["HELLO", "3"]).catch(() => {});
  }

  get open(): boolean {
    return this.#open;
  }

  /** Resolves with the reply. Rejects with ReplyError if that is an error, or with Error if the connection ends. */
  command(args: readonly Argument[]): Promise<Value> {
    return this.#send(args.map(bytesOf));
  }

  #send(args: readonly (string | Uint8Array)[]): Promise<Value> {
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    if (!this.#open) reject(new Error("the connection is closed"));
    else {
      this.#waiting.push({ resolve, reject });
      this.socket.write(encodeRequest(args));
    }
    return promise;
  }

  received(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
    for (let reply = this.#decoder.next(); reply !== undefined; reply = this.#decoder.next()) {
      // Messages between replies are for clients that subscribe; these use a connection of their own.
      if (reply.type === "push") continue;
      const value = valueOf(reply), waiting = this.#waiting.shift();
      if (value instanceof ReplyError) waiting?.reject(value);
      else waiting?.resolve(value);
    }
  }

  closed(): void {
    this.#open = false;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("the server closed the connection"));
  }

  close(): void {
    this.socket.end();
  }
}
