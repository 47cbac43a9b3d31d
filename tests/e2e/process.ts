/**
 * MemDB as a separate process in an empty folder: from source, or the executable that E2E_BINARY names. This file does
 * not import the server's code; the tests check what a user sees.
 */
import { TestClient } from "../helpers/client.ts";
import { testUnless } from "../helpers/programs.ts";

const binary = Deno.env.get("E2E_BINARY") ?? "";
const root = new URL("../../", import.meta.url);
const START_TIMEOUT_MS = 20_000;
const isWindows = Deno.build.os === "windows";

/** The program under test, for the names of tests. */
export const subject = binary === "" ? "memdb" : "the executable";

/** Program and first arguments of MemDB's command line; `set` is the permission set of the task of that name. */
export function commandLine(set: "serve" | "cli" = "serve"): [string, ...string[]] {
  if (binary !== "") return [binary];
  const path = (name: string) => decodeURI(new URL(name, root).pathname).replace(/^\/(?=[A-Z]:)/, "");
  return [Deno.execPath(), "run", "-q", "--config", path("deno.json"), `-P=${set}`, path("main.ts")];
}

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program until it ends, with `input` on its standard input. */
export async function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; input?: string; env?: Record<string, string> } = {},
): Promise<Finished> {
  const { cwd, input, env } = options;
  const child = new Deno.Command(program, {
    args: [...args],
    cwd,
    env,
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [{ code, stdout, stderr }] = await Promise.all([
    child.output(),
    input === undefined ? undefined : new Blob([input]).stream().pipeTo(child.stdin),
  ]);
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs `memdb …` until it ends. */
export function memdb(args: readonly string[], options: Parameters<typeof run>[2] = {}): Promise<Finished> {
  const [program, ...first] = commandLine(args[0] === "cli" ? "cli" : "serve");
  return run(program, [...first, ...args], options);
}

/** Defines a test that needs the signals and files of Unix. */
export function unixTest(name: string, fn: () => Promise<void>): void {
  testUnless(isWindows ? "not on Windows" : undefined, name, fn);
}

/** A temporary folder that is deleted at the end of the scope. */
export class Folder implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "memdb-" });

  /** The path of a file in the folder. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A running server. It is killed, if it still runs, at the end of the scope. */
export class ServerProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #clients: TestClient[] = [];
  readonly #reading: Promise<void>;
  readonly #grown: (() => void)[] = [];
  #ended = false;
  /** All output of the server. */
  log = "";
  port = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#reading = this.#read();
  }

  /**
   * Starts a server on a free port and waits until its log matches `until`, which is when it serves unless given.
   * `limit` are arguments for bash's ulimit. Throws the log when the server does not come up.
   */
  static async start(
    args: readonly string[],
    options: { cwd?: string; env?: Record<string, string>; until?: RegExp; limit?: string } = {},
  ): Promise<ServerProcess> {
    const { until = /Connect with/, limit, ...place } = options;
    const words = [...commandLine(), "serve", ...args, "--port", "0"];
    const [program, ...rest] = limit === undefined
      ? words
      : ["bash", "-c", `ulimit ${limit}; exec "$@"`, "-", ...words];
    const child = new Deno.Command(program, { args: rest, stdin: "null", stdout: "null", stderr: "piped", ...place })
      .spawn();
    const server = new ServerProcess(child);
    await server.logged(until);
    server.port = Number(/Listening on \S*?:(\d+)/.exec(server.log)?.[1] ?? 0);
    return server;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Waits until the log has a matching line. Throws the log if the process ends or takes too long. */
  async logged(pattern: RegExp): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wakeUp();
    }, START_TIMEOUT_MS);
    try {
      while (!pattern.test(this.log)) {
        if (this.#ended || late) throw new Error(`the server ${late ? "is silent" : "ended"}: ${this.log}`);
        await new Promise<void>((resolve) => this.#grown.push(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** A new connection, closed together with the server. */
  async connect(): Promise<TestClient> {
    const client = await TestClient.connect(this.port);
    this.#clients.push(client);
    return client;
  }

  /** Sends one command on a separate connection. */
  async command(...args: Parameters<TestClient["command"]>): Promise<string> {
    const client = await TestClient.connect(this.port);
    try {
      return await client.command(...args);
    } finally {
      client.close();
    }
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Sends a signal and waits for the end. Returns the exit status, 128 and more for a signal. */
  async stop(signal: Deno.Signal = isWindows ? "SIGKILL" : "SIGTERM"): Promise<number> {
    this.#child.kill(signal);
    return await this.ended();
  }

  /** Waits for the end. Returns the exit status. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // The process has ended.
    }
    await this.ended();
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.log += text;
      this.#wakeUp();
    }
    this.#ended = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    for (const resolve of this.#grown.splice(0)) resolve();
  }
}
