/**
 * The servers that are measured beside each other, as processes, and what the kernel knows about them: CPU time and
 * resident memory. The load generator shares the machine, so throughput says little; CPU time of the server says what a
 * command costs. Linux only: the figures come from /proc.
 */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;
const START_TIMEOUT_MS = 300_000;

export interface Kind {
  readonly name: string;
  /**
   * Program and arguments for a port and a folder; `aof` is the file to keep, in that folder, if there is to be one.
   */
  command(port: number, folder: string, aof?: string): [string, ...string[]];
}

/** MemDB from source, or the executable at `binary`. */
export function memdb(binary: string | undefined): Kind {
  const root = new URL("../../", import.meta.url);
  const path = (name: string) => decodeURI(new URL(name, root).pathname);
  const program: [string, ...string[]] = binary === undefined
    ? [Deno.execPath(), "run", "-q", "--config", path("deno.json"), "-P=serve", path("main.ts")]
    : [binary];
  return {
    name: "MemDB",
    command: (port, folder, aof) => [
      ...program,
      "serve",
      "--port",
      String(port),
      ...aof === undefined ? [] : ["--aofpath", `${folder}/${aof}`],
    ],
  };
}

/** redis-server or valkey-server, if it is on the PATH. */
export function peer(program: string): Kind | undefined {
  try {
    const { stdout } = new Deno.Command(program, { args: ["--version"] }).outputSync();
    const version = /v=([\d.]+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "";
    return {
      name: `${program === "redis-server" ? "Redis" : "Valkey"} ${version}`,
      command: (port, folder, aof) => [
        program,
        ...["--port", String(port), "--save", "", "--dir", folder, "--aof-use-rdb-preamble", "no"],
        ...aof === undefined ? [] : ["--appendonly", "yes", "--appendfilename", aof],
      ],
    };
  } catch {
    return undefined;
  }
}

export interface StartOptions {
  folder?: string;
  aof?: string;
}

export class Running implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** From the start of the process to its first answer to a command on data. */
  readonly readyMs: number;
  readonly #child: Deno.ChildProcess;
  readonly #ownFolder: string | undefined;

  private constructor(name: string, port: number, child: Deno.ChildProcess, readyMs: number, ownFolder?: string) {
    this.name = name;
    this.port = port;
    this.readyMs = readyMs;
    this.#child = child;
    this.#ownFolder = ownFolder;
  }

  /** Starts a server and waits until it serves. */
  static async start(kind: Kind, port: number, options: StartOptions = {}): Promise<Running> {
    const ownFolder = options.folder === undefined ? await Deno.makeTempDir({ prefix: "memdb-bench-" }) : undefined;
    const folder = options.folder ?? ownFolder!;
    const [program, ...args] = kind.command(port, folder, options.aof);
    const started = performance.now();
    const child = new Deno.Command(program, { args, cwd: folder, stdin: "null", stdout: "null", stderr: "null" })
      .spawn();
    while (!await serves(port)) {
      if (performance.now() - started > START_TIMEOUT_MS) throw new Error(`${kind.name} does not serve`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return new Running(kind.name, port, child, performance.now() - started, ownFolder);
  }

  /** CPU time that the process has taken so far, in seconds. */
  cpuSeconds(): number {
    // The name of the process may hold spaces; what follows its parenthesis does not.
    const fields = readSystemFile(`/proc/${this.#child.pid}/stat`).split(") ").at(-1)!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Resident memory, in bytes. */
  residentBytes(): number {
    return Number(readSystemFile(`/proc/${this.#child.pid}/statm`).split(" ")[1]) * PAGE_BYTES;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    if (this.#ownFolder !== undefined) await Deno.remove(this.#ownFolder, { recursive: true });
  }
}

/** What a file of the kernel says. Deno lets nobody read those without all permissions; `cat` may. */
function readSystemFile(path: string): string {
  return new TextDecoder().decode(new Deno.Command("cat", { args: [path] }).outputSync().stdout);
}

/** Whether a server answers DBSIZE, which it does not while it loads. */
async function serves(port: number): Promise<boolean> {
  try {
    using socket = await Deno.connect({ hostname: "127.0.0.1", port });
    await socket.write(new TextEncoder().encode("DBSIZE\r\n"));
    const reply = new Uint8Array(64);
    return await socket.read(reply) !== null && reply[0] === ":".charCodeAt(0);
  } catch {
    return false;
  }
}

/** `cpu model, n processors, system, Deno version`. */
export function machine(): string {
  const model = /model name\s*:\s*(.*)/.exec(readSystemFile("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  const system = /PRETTY_NAME="(.*)"/.exec(readSystemFile("/etc/os-release"))?.[1] ?? Deno.build.os;
  return `${model}, ${navigator.hardwareConcurrency} processors, ${system}, Deno ${Deno.version.deno}`;
}
