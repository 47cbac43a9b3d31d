/**
 * A conversation with a server: connects, logs in, sends commands one after the other, prints replies and messages, and
 * keeps the state that the prompt shows and that a reconnection must restore. It reads no input and knows no terminal;
 * output goes to a Sink.
 */
import type { Reply } from "../resp/decoder.ts";
import { fromBytes } from "./binary.ts";
import { Connection, ConnectionError } from "./connection.ts";
import { formatRaw, formatReply, type OutputMode } from "./format.ts";
import type { Options } from "./options.ts";
import {
  formatInvalidation,
  isSubscription,
  printsRaw,
  type PubSubEvent,
  pubSubEvent,
  type Redirection,
  redirectionOf,
} from "./replies.ts";
import { addressOf } from "./transport.ts";

/** Takes the output, as byte strings. */
export interface Sink {
  write(text: string): void;
  error(text: string): void;
}

export interface SessionSettings {
  readonly options: Options;
  readonly output: OutputMode;
  readonly showPushes: boolean;
  /** A person is typing: an interruption leads back to the prompt, and a subscription does not block. */
  readonly interactive: boolean;
}

/** A command that is redirected more often than this belongs to no server. */
const MAX_REDIRECTIONS = 16;

export class Session {
  readonly #settings: SessionSettings;
  readonly #sink: Sink;
  readonly #options: Options;
  #connection: Connection | undefined;
  /** Set while a command runs; ends its waiting and its pauses. */
  #interruption: { interrupted: boolean; wake: () => void } | undefined;
  #database: number;
  #databaseBeforeTransaction = 0;
  #inTransaction = false;
  #protocol: 2 | 3;
  /** "kind channel", for example "p news.*". */
  readonly #subscriptions = new Set<string>();
  /** CLIENT REPLY OFF, and SKIP for the next command. */
  #silence: "none" | "off" | "next" = "none";

  constructor(settings: SessionSettings, sink: Sink) {
    this.#settings = settings;
    this.#sink = sink;
    this.#options = { ...settings.options };
    this.#database = settings.options.database;
    this.#protocol = settings.options.protocol ?? 2;
  }

  /** As redis-cli: `127.0.0.1:6379[1](TX)> `. */
  get prompt(): string {
    if (this.#connection === undefined) return "not connected> ";
    let text = this.#options.socket === undefined ? addressOf(this.#options) : `redis ${this.#options.socket}`;
    if (this.#database !== 0) text += `[${this.#database}]`;
    if (this.#inTransaction) text += "(TX)";
    if (this.#subscriptions.size > 0) text += "(subscribed mode)";
    return text + "> ";
  }

  get subscribed(): boolean {
    return this.#subscriptions.size > 0;
  }

  /** A copy of the options that reach the same server with the same rights, for a second connection. */
  get target(): Options {
    return { ...this.#options };
  }

  /** Connects to another server instead. Prints the failure and returns false when it cannot be reached. */
  async moveTo(host: string, port: number): Promise<boolean> {
    this.close();
    Object.assign(this.#options, { host, port, socket: undefined });
    this.#database = 0;
    return await this.connect();
  }

  /** Connects, logs in, selects database and protocol. Prints each failure; false when there is no connection. */
  async connect(): Promise<boolean> {
    this.#forgetConnection();
    try {
      const connection = await Connection.open(this.#options);
      const usable = await this.#greet(connection);
      if (!usable) {
        connection.close();
        return false;
      }
      this.#connection = connection;
      this.#listenWhileIdle();
      return true;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#sink.error(error.message + "\n");
      return false;
    }
  }

  async #greet(connection: Connection): Promise<boolean> {
    const ask = async (args: string[]): Promise<string | undefined> => {
      await connection.send(args);
      let reply = await connection.read();
      while (reply.type === "push") reply = await connection.read();
      return reply.type === "error" ? fromBytes(reply.bytes) : undefined;
    };
    const { user, password } = this.#options;
    if (password !== undefined) {
      const failure = await ask(user === undefined ? ["AUTH", password] : ["AUTH", user, password]);
      if (failure !== undefined) this.#sink.error(`AUTH failed: ${failure}\n`);
    }
    if (this.#database !== 0) {
      const failure = await ask(["SELECT", String(this.#database)]);
      if (failure !== undefined) {
        this.#sink.error(`SELECT ${this.#database} failed: ${failure}\n`);
        // A script that names a database must not write into another one.
        if (!this.#settings.interactive) return false;
        this.#database = 0;
      }
    }
    if (this.#protocol === 3) {
      const failure = await ask(["HELLO", "3"]);
      if (failure !== undefined) {
        this.#protocol = 2;
        this.#sink.error(`HELLO 3 failed: ${failure}\n`);
      }
    }
    if (this.#options.clientName !== undefined) {
      const failure = await ask(["CLIENT", "SETNAME", this.#options.clientName]);
      if (failure !== undefined) this.#sink.error(`CLIENT SETNAME failed: ${failure}\n`);
    }
    return true;
  }

  /** Connects and gives the connection away, ready for use; undefined after a failure, which is printed. */
  async detach(): Promise<Connection | undefined> {
    if (!await this.connect()) return undefined;
    const connection = this.#connection!;
    connection.listen(undefined);
    this.#forgetConnection();
    return connection;
  }

  /**
   * Runs a command `times` times (-1: until it fails to be sent or is interrupted), pausing between runs.
   * False when it could not be sent or the last reply was an error.
   */
  async run(args: readonly string[], times: number, pauseMs: number): Promise<boolean> {
    const interruption = { interrupted: false, wake: () => {} };
    this.#interruption = interruption;
    let succeeded = true;
    try {
      for (let left = times; left !== 0 && !interruption.interrupted; left--) {
        if (left !== times && pauseMs > 0) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, pauseMs);
            interruption.wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
          if (interruption.interrupted) break;
        }
        const outcome = await this.#issue(args);
        succeeded = outcome === "ok";
        if (outcome === "unsent") break;
      }
    } finally {
      this.#interruption = undefined;
    }
    return succeeded;
  }

  /** Ends the running command, or the subscriptions, by dropping the connection; the next command makes a new one. */
  async interrupt(): Promise<void> {
    const running = this.#interruption;
    if (running !== undefined) {
      running.interrupted = true;
      running.wake();
      this.#connection?.close();
    } else if (this.subscribed) {
      this.close();
      await this.connect();
    }
  }

  close(): void {
    const connection = this.#connection;
    this.#forgetConnection();
    connection?.listen(undefined);
    connection?.close();
  }

  async #issue(args: readonly string[], redirections = 0): Promise<"ok" | "error" | "unsent"> {
    if (this.#connection === undefined && !await this.connect()) return "unsent";
    const connection = this.#connection!;
    const command = args[0]!.toLowerCase();
    connection.listen(undefined);
    try {
      await connection.send(args);
      const reply = await this.#answerTo(connection, args);
      if (reply === undefined) return "ok";
      const redirection = this.#redirectionOf(reply);
      if (redirection !== undefined) return await this.#follow(redirection, args, redirections + 1);
      this.#track(args, reply);
      if (command === "monitor" && reply.type === "status") return await this.#stream(connection);
      if (this.subscribed && !this.#settings.interactive && this.#options.command.length > 0) {
        return await this.#stream(connection);
      }
      return reply.type === "error" ? "error" : "ok";
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#forgetConnection();
      if (this.#interruption?.interrupted) {
        if (this.#settings.interactive) await this.connect();
        return "unsent";
      }
      if (command === "shutdown") return "ok";
      this.#sink.error(`Error: ${error.message}\n`);
      return "unsent";
    } finally {
      if (this.#connection === connection) this.#listenWhileIdle();
    }
  }

  #redirectionOf(reply: Reply): Redirection | undefined {
    return this.#options.followRedirections ? redirectionOf(reply) : undefined;
  }

  /** Sends the command to the server that it belongs to. */
  async #follow(
    { slot, host, port, asking }: Redirection,
    args: readonly string[],
    redirections: number,
  ): Promise<"ok" | "error" | "unsent"> {
    if (redirections > MAX_REDIRECTIONS) {
      this.#sink.error(`Error: ${MAX_REDIRECTIONS} redirections for one command\n`);
      return "unsent";
    }
    const target = { host: host === "" ? this.#options.host : host, port };
    if (this.#settings.interactive) {
      this.#sink.write(`-> Redirected to slot [${slot}] located at ${target.host}:${target.port}\n`);
    }
    if (!await this.moveTo(target.host, target.port)) return "unsent";
    if (asking) {
      const connection = this.#connection!;
      connection.listen(undefined);
      await connection.send(["ASKING"]);
      await connection.read();
    }
    return await this.#issue(args, redirections);
  }

  /** Reads and prints the answer and the pushes before it. Undefined when the server does not answer. */
  async #answerTo(connection: Connection, args: readonly string[]): Promise<Reply | undefined> {
    const [command, sub, value] = args.map((arg) => arg.toLowerCase());
    if (command === "client" && sub === "reply" && args.length === 3) {
      if (value === "off") this.#silence = "off";
      else if (value === "skip" && this.#silence === "none") this.#silence = "next";
      if (value === "off" || value === "skip") return undefined;
      if (value === "on") this.#silence = "none";
    }
    if (this.#silence !== "none") {
      if (this.#silence === "next") this.#silence = "none";
      return undefined;
    }
    const confirming = isSubscription(command!);
    let expected = confirming ? this.#confirmationsOf(command!, args.length - 1) : 1;
    for (;;) {
      const reply = await connection.read();
      const event = this.subscribed || reply.type === "push" || confirming ? pubSubEvent(reply) : undefined;
      if (event === undefined && reply.type !== "push") {
        if (this.#redirectionOf(reply) === undefined) this.#print(args, reply);
        return reply;
      }
      this.#arrived(reply, confirming || this.subscribed);
      if (confirming && event?.kind === command && --expected === 0) return reply;
    }
  }

  /** One for each channel named; without names, one for each subscription of that kind, and at least one. */
  #confirmationsOf(command: string, named: number): number {
    if (named > 0) return named;
    const kind = subscriptionKind(command);
    return Math.max(1, [...this.#subscriptions].filter((name) => name.startsWith(kind + " ")).length);
  }

  /** Prints every message until the connection ends or is interrupted. */
  async #stream(connection: Connection): Promise<never> {
    for (;;) this.#arrived(await connection.read(), this.subscribed);
  }

  #listenWhileIdle(): void {
    this.#connection?.listen({
      reply: (reply) => this.#arrived(reply, this.subscribed),
      closed: (error) => {
        this.#forgetConnection();
        if (this.#settings.interactive) this.#sink.error(`Error: ${error.message}\n`);
      },
    });
  }

  /**
   * Prints a message that answers no command, and counts subscriptions. While the connection is subscribed, or a
   * command about subscriptions awaits its confirmations, redis-cli shows every push, and invalidations as an array.
   */
  #arrived(reply: Reply, subscribed: boolean): void {
    const { output, showPushes } = this.#settings;
    const event = this.#countSubscription(reply);
    if (reply.type === "push" && event === undefined && !subscribed && !showPushes) return;
    const invalidation = output === "standard" && !subscribed ? formatInvalidation(reply) : undefined;
    this.#sink.write(invalidation ?? this.#format(reply, output));
  }

  /** Keeps account of the subscription that `reply` confirms. Returns the event that it is. */
  #countSubscription(reply: Reply): PubSubEvent | undefined {
    const event = pubSubEvent(reply);
    if (event?.confirms && event.channel !== undefined) {
      const subscription = `${subscriptionKind(event.kind)} ${event.channel}`;
      if (event.kind.includes("unsub")) this.#subscriptions.delete(subscription);
      else this.#subscriptions.add(subscription);
    }
    return event;
  }

  #print(args: readonly string[], reply: Reply): void {
    if (reply.type === "error" && this.#options.errorsToStatus) {
      this.#sink.error(fromBytes(reply.bytes) + "\n");
      return;
    }
    const text = printsRaw(args) ? formatRaw(reply, "\n") : this.#format(reply, this.#settings.output);
    this.#sink.write(text);
  }

  #format(reply: Reply, mode: OutputMode): string {
    const { elementDelimiter: element, replyDelimiter } = this.#options;
    return formatReply(reply, mode, { element, reply: replyDelimiter });
  }

  /** Keeps the state that the prompt shows and that a new connection must repeat. */
  #track(args: readonly string[], reply: Reply): void {
    const [command, ...rest] = args.map((arg, index) => index === 0 ? arg.toLowerCase() : arg);
    const failed = reply.type === "error";
    if (command === "exec" || command === "discard") {
      if (!this.#inTransaction) return;
      this.#inTransaction = false;
      if (command === "discard" || reply.type !== "array") this.#database = this.#databaseBeforeTransaction;
      else reply.items.forEach((item) => this.#countSubscription(item));
      return;
    }
    if (failed) return;
    if (command === "select" && rest.length === 1) {
      this.#database = Number(rest[0]) || 0;
    } else if (command === "multi") {
      this.#inTransaction = true;
      this.#databaseBeforeTransaction = this.#database;
    } else if (command === "reset" && rest.length === 0) {
      this.#inTransaction = false;
      this.#subscriptions.clear();
      this.#database = 0;
      this.#protocol = 2;
    } else if (command === "auth" && rest.length <= 2 && !this.#inTransaction) {
      this.#options.password = rest.at(-1);
      this.#options.user = rest.length === 2 ? rest[0] : undefined;
    } else if (command === "hello" && rest.length > 0) {
      this.#protocol = rest[0] === "3" ? 3 : 2;
      const auth = rest.findIndex((arg) => arg.toUpperCase() === "AUTH");
      if (auth > 0) [this.#options.user, this.#options.password] = [rest[auth + 1], rest[auth + 2]];
    }
  }

  /** Drops the state that the server keeps for a connection. The database and the protocol stay chosen. */
  #forgetConnection(): void {
    if (this.#inTransaction) this.#database = this.#databaseBeforeTransaction;
    this.#connection = undefined;
    this.#inTransaction = false;
    this.#silence = "none";
    this.#subscriptions.clear();
  }
}

/** "p" for patterns, "s" for shard channels, "c" for channels. */
function subscriptionKind(command: string): string {
  return /^([ps])(un)?sub/.exec(command)?.[1] ?? "c";
}
