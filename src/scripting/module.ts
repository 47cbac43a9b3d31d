/**
 * The WebAssembly module with Lua and its libraries. It is unpacked and compiled at its first use, once for all engines
 * of the process.
 */
import { Buffer } from "node:buffer";
import { zlib } from "../core/builtin.ts";
import { BINARY } from "./lua/binary.ts";

/** Addresses are 32-bit integers. */
export type Address = number;

/** What the module exports; src/scripting/lua/host.c and api.c describe each function. */
export interface LuaExports {
  readonly memory: WebAssembly.Memory;
  open(functions: number, deprecated: number, valkey: number, limitBytes: number): number;
  limit(bytes: number): void;
  used(): number;
  io(): Address;
  outcome(): Address;
  places(): Address;
  request(): Address;
  reserve(bytes: number): number;
  compile(length: number, functions: number): number;
  /** Runs a library that registers functions. */
  load(length: number): number;
  release(reference: number): void;
  run(reference: number, keys: number, args: number, asGlobals: number, version: number): number;
  collect(): void;
}

/** What the module imports from the server. */
export interface LuaImports {
  call(argc: number, rawLength: number): void;
  acl_check(argc: number): number;
  add_function(
    name: Address,
    length: number,
    description: Address,
    descriptionLength: number,
    flags: number,
    reference: number,
  ): number;
  digits(value: number, into: Address): number;
  log(level: number, text: Address, length: number): void;
  set_repl(flags: number): void;
  set_resp(version: number): void;
  sha1(text: Address, length: number, hex: Address): void;
  tick(): number;
  clock(): number;
  write(bytes: Address, length: number): void;
  write_double(value: number): void;
  write_error(text: Address, length: number, counted: number): void;
}

/** More than the module has. */
const UNPACKED_BYTES_MAX = 512 * 1024;

let compiled: WebAssembly.Module | undefined;

/** The bytes of the module. */
export function moduleBytes(): Uint8Array<ArrayBuffer> {
  // One chunk for the whole output: the default of 16 KB takes four times as long.
  return zlib().gunzipSync(Buffer.from(BINARY, "base64"), { chunkSize: UNPACKED_BYTES_MAX }) as Uint8Array<ArrayBuffer>;
}

/** Makes an instance of the module, with memory of its own. */
export function instantiate(imports: LuaImports): LuaExports {
  compiled ??= new WebAssembly.Module(moduleBytes());
  const host = imports as unknown as WebAssembly.ModuleImports;
  return new WebAssembly.Instance(compiled, { host }).exports as unknown as LuaExports;
}
