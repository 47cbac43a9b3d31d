/**
 * The few functions of the C library that serve sockets through epoll, on Linux with glibc. The numbers and layouts are
 * those of the kernel and of glibc (man 2 epoll_wait, man 7 ip, man 7 ipv6, man 7 unix, man 3 mallopt). This file does
 * not depend on the rest of MemDB.
 *
 * Reason: a read and a write through Deno's sockets cost 2 to 3 µs beyond their system calls, and a connection that
 * waits for its next request takes 6 KiB. docs/architecture.md has the figures.
 */

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  // The same function on another thread, for waits without a time limit.
  epoll_wait_apart: {
    name: "epoll_wait",
    parameters: ["i32", "buffer", "i32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  mallopt: { parameters: ["i32", "i32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/**
 * Opens the C library. Returns undefined if it is not glibc on Linux or if the permission is missing; never asks for
 * it.
 */
export function openLibc(): Libc | undefined {
  const { os, arch } = Deno.build;
  if (os !== "linux" || (arch !== "x86_64" && arch !== "aarch64")) return undefined;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  try {
    return Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  } catch {
    return undefined;
  }
}

export const AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10;
export const SOCK_STREAM = 1, SOCK_NONBLOCK = 0o4000, SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1, SO_REUSEADDR = 2, SO_KEEPALIVE = 9;
export const IPPROTO_TCP = 6, TCP_NODELAY = 1, IPPROTO_IPV6 = 41, IPV6_V6ONLY = 26;
export const MSG_NOSIGNAL = 0x4000;
export const EPOLL_CLOEXEC = 0o2000000, EFD_CLOEXEC = 0o2000000, EFD_NONBLOCK = 0o4000;
export const EPOLL_CTL_ADD = 1, EPOLL_CTL_MOD = 3;
export const EPOLLIN = 1, EPOLLOUT = 4, EPOLLERR = 8, EPOLLHUP = 16, EPOLLRDHUP = 0x2000, EPOLLET = 0x80000000;
export const EINTR = 4, EAGAIN = 11, ENFILE = 23, EMFILE = 24, EADDRINUSE = 98;

/**
 * Memory blocks of at least this size are mapped individually, so they return to the system as soon as they are freed.
 */
export const M_MMAP_THRESHOLD = -3;

/**
 * struct epoll_event is packed only on x86-64: the events, then 64 bits of data, whose first 32 bits hold the socket.
 */
export const EVENT_BYTES = Deno.build.arch === "x86_64" ? 12 : 16;
export const EVENT_FD = Deno.build.arch === "x86_64" ? 4 : 8;

/** The size of the largest socket address, a Unix address. */
export const ADDRESS_BYTES_MAX = 128;

/** struct sockaddr_in or sockaddr_in6 of a literal address; undefined for other text, such as a host name. */
export function socketAddress(hostname: string, port: number): Uint8Array<ArrayBuffer> | undefined {
  const v4 = hostname === "localhost" ? [127, 0, 0, 1] : parseV4(hostname);
  if (v4 !== undefined) return Uint8Array.from([AF_INET, 0, port >> 8, port & 255, ...v4, 0, 0, 0, 0, 0, 0, 0, 0]);
  const v6 = parseV6(hostname);
  if (v6 === undefined) return undefined;
  return Uint8Array.from([AF_INET6, 0, port >> 8, port & 255, 0, 0, 0, 0, ...v6, 0, 0, 0, 0]);
}

/** struct sockaddr_un of a path; undefined if the path is too long. */
export function unixAddress(path: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new TextEncoder().encode(path);
  return bytes.length > 107 ? undefined : Uint8Array.from([AF_UNIX, 0, ...bytes, 0]);
}

/** Host and port of an internet address; undefined for a Unix address. */
export function readAddress(address: Uint8Array): { hostname: string; port: number } | undefined {
  const port = (address[2] << 8) | address[3];
  if (address[0] === AF_INET) return { hostname: address.subarray(4, 8).join("."), port };
  if (address[0] !== AF_INET6) return undefined;
  const host = address.subarray(8, 24);
  if (host.subarray(0, 10).every((b) => b === 0) && host[10] === 255 && host[11] === 255) {
    return { hostname: `::ffff:${host.subarray(12).join(".")}`, port };
  }
  const groups = Array.from({ length: 8 }, (_, i) => ((host[2 * i] << 8) | host[2 * i + 1]).toString(16));
  return { hostname: shorten(groups), port };
}

function parseV4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return parts.map(Number);
}

function parseV6(text: string): number[] | undefined {
  if (!/^[0-9a-fA-F:]+$/.test(text)) return undefined;
  const halves = text.split("::");
  const words = halves.map((half) => half === "" ? [] : half.split(":"));
  const given = words.reduce((sum, part) => sum + part.length, 0);
  if (halves.length > 2 || (halves.length === 1 ? given !== 8 : given > 7)) return undefined;
  const all = [...words[0], ...Array<string>(8 - given).fill("0"), ...(words[1] ?? [])];
  if (!all.every((word) => /^[0-9a-fA-F]{1,4}$/.test(word))) return undefined;
  return all.flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 255]);
}

/** Formats eight groups; "::" replaces the first of the longest runs of zeros. */
function shorten(groups: readonly string[]): string {
  let best = 0, length = 1;
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === "0") n++;
    if (n > length) [best, length] = [i, n];
  }
  if (length === 1) return groups.join(":");
  return `${groups.slice(0, best).join(":")}::${groups.slice(best + length).join(":")}`;
}
