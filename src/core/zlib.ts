/** The runtime's zlib. It is loaded at its first use, because it costs a start that does without it 20 ms. */

type Zlib = typeof import("node:zlib");

let loaded: Zlib | undefined;

export function zlib(): Zlib {
  return loaded ??= globalThis.process.getBuiltinModule("node:zlib") as Zlib;
}
