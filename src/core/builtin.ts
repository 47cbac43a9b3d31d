/**
 * Modules of the runtime that most starts can do without. Each is loaded at its first use, because that takes up to
 * 20 ms.
 */

/** Returns a function that loads the module, and later returns the same one. */
function lazily<Module>(name: string): () => Module {
  let loaded: Module | undefined;
  return () => loaded ??= globalThis.process.getBuiltinModule(name) as Module;
}

export const crypto: () => typeof import("node:crypto") = lazily("node:crypto");
export const net: () => typeof import("node:net") = lazily("node:net");
export const stream: () => typeof import("node:stream") = lazily("node:stream");
export const zlib: () => typeof import("node:zlib") = lazily("node:zlib");
