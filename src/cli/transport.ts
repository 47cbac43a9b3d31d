/**
 * The way to a server: TCP, TLS or a Unix socket, as the flags choose. It finds addresses and reads certificates; bytes
 * mean nothing to it.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import * as tls from "node:tls";
import type { Options } from "./options.ts";

/** The options that say where the server is and how it is reached. */
export type Target = Pick<
  Options,
  | "host"
  | "port"
  | "socket"
  | "family"
  | "tls"
  | "serverName"
  | "insecure"
  | "cacert"
  | "cacertDir"
  | "cert"
  | "key"
  | "connectTimeoutMs"
>;

/** The part of Deno.Conn that a connection needs. */
export interface Transport {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Connects. Throws an Error with the operating system's words. */
export async function dial(target: Target): Promise<Transport> {
  const dialing = target.socket === undefined
    ? dialHost(target)
    : Deno.connect({ transport: "unix", path: target.socket });
  try {
    return await withTimeout(dialing, target.connectTimeoutMs);
  } catch (error) {
    throw new Error(reasonOf(error));
  }
}

/** How messages and the prompt call the server. */
export function addressOf(target: Pick<Target, "host" | "port" | "socket">): string {
  if (target.socket !== undefined) return target.socket;
  return target.host.includes(":") ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`;
}

async function dialHost(target: Target): Promise<Transport> {
  const { host, port, family } = target;
  const connect = target.tls ? await tlsConnector(target) : connectTcp;
  // Without -4 and -6 the system orders the addresses.
  if (family === undefined || isIP(host) !== 0) return await connect(host, port);
  const addresses = await lookup(host, { all: true });
  addresses.sort((a, b) => Number(b.family === family) - Number(a.family === family));
  let failure: unknown;
  for (const { address } of addresses) {
    try {
      return await connect(address, port);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

type Connector = (hostname: string, port: number) => Promise<Transport>;

async function connectTcp(hostname: string, port: number): Promise<Transport> {
  const conn = await Deno.connect({ hostname, port });
  conn.setNoDelay();
  return conn;
}

/** TLS by node:tls, which alone of the runtime's two can accept any certificate and ask for a name of choice. */
async function tlsConnector(target: Target): Promise<Connector> {
  const read = async (path: string | undefined) => path === undefined ? undefined : await Deno.readTextFile(path);
  const name = target.serverName ?? target.host;
  const authorities = await authoritiesOf(target);
  const options: tls.ConnectionOptions = {
    // The name of an address cannot be asked for; its certificate is checked all the same.
    servername: isIP(name) === 0 ? name : "",
    checkServerIdentity: (_, certificate) => tls.checkServerIdentity(name, certificate),
    rejectUnauthorized: !target.insecure,
    ca: authorities.length > 0 ? authorities : undefined,
    cert: await read(target.cert),
    key: await read(target.key),
  };
  return (host, port) =>
    new Promise((resolve, reject) => {
      const socket = tls.connect({ ...options, host, port });
      socket.once("error", reject);
      socket.once("secureConnect", () => {
        socket.off("error", reject);
        socket.setNoDelay();
        resolve(new NodeTransport(socket));
      });
    });
}

/** The certificate authorities of --cacert and --cacertdir, each in PEM. */
async function authoritiesOf({ cacert, cacertDir }: Target): Promise<string[]> {
  const authorities = cacert === undefined ? [] : [await Deno.readTextFile(cacert)];
  if (cacertDir === undefined) return authorities;
  for await (const { name } of Deno.readDir(cacertDir)) {
    const path = `${cacertDir}/${name}`;
    if (!(await Deno.stat(path)).isFile) continue;
    const text = await Deno.readTextFile(path);
    if (text.includes("-----BEGIN CERTIFICATE-----")) authorities.push(text);
  }
  return authorities;
}

/** A socket of node:tls with the calls of Deno.Conn. */
class NodeTransport implements Transport {
  readonly #socket: tls.TLSSocket;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #unread: Uint8Array = new Uint8Array(0);

  constructor(socket: tls.TLSSocket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#unread.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return null;
      this.#unread = value;
    }
    const size = Math.min(buffer.length, this.#unread.length);
    buffer.set(this.#unread.subarray(0, size));
    this.#unread = this.#unread.subarray(size);
    return size;
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function withTimeout(dialing: Promise<Transport>, ms: number): Promise<Transport> {
  if (ms === 0) return await dialing;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("Connection timed out")), ms);
  });
  try {
    return await Promise.race([dialing, timeout]);
  } catch (error) {
    dialing.then((conn) => conn.close(), () => {});
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The operating system's words without the runtime's decoration. */
function reasonOf(error: unknown): string {
  if ((error as { code?: string }).code === "ECONNREFUSED") return "Connection refused";
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/ \(os error \d+\).*$/, "").replace(/^failed to lookup address information: /, "");
}
