/**
 * A library of functions: its code, its name, and the functions that the code has registered.
 */
import { latin1 } from "../core/bytes.ts";
import { fail, shownText } from "../core/errors.ts";
import { splitArguments } from "../resp/inline.ts";
import type { RegisteredFunction } from "./instance.ts";
import type { LoadingLibrary, RunOptions } from "./script_runner.ts";

const HASH = 35, BANG = 33, LF = 10;
const NAME = "name=";
const ENGINE = "lua";
const NOT_A_NAME =
  "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

export class LibraryFunction implements RunOptions {
  readonly kind = "function";
  readonly name: string;
  readonly description: Uint8Array | undefined;
  readonly flags: number;
  readonly library: Library;
  /** The function in the Lua state of the libraries. */
  reference: number;

  constructor(library: Library, { name, description, flags, reference }: RegisteredFunction) {
    this.library = library;
    this.name = name;
    this.description = description;
    this.flags = flags;
    this.reference = reference;
  }
}

export class Library implements LoadingLibrary {
  readonly name: string;
  /** The whole code, with its first line. */
  readonly source: Uint8Array;
  /** The code without its first line, whose end stays. */
  readonly code: Uint8Array;
  readonly limited: boolean;
  /** By their names. */
  readonly functions = new Map<string, LibraryFunction>();

  /** Reads the first line, `#!lua name=mylib`. Throws CommandError. */
  constructor(source: Uint8Array, limited: boolean) {
    const { engine, name, length } = readMetadata(source);
    if (!isName(name)) fail(NOT_A_NAME);
    // Redis finds engines regardless of case.
    if (engine.toLowerCase() !== ENGINE) fail(`ERR Engine '${engine}' not found`);
    this.name = name;
    this.source = source;
    this.code = source.subarray(length);
    this.limited = limited;
  }

  add(registered: RegisteredFunction): number {
    if (!isName(registered.name)) return 1;
    if (this.functions.has(registered.name)) return 2;
    this.functions.set(registered.name, new LibraryFunction(this, registered));
    return 0;
  }
}

function isName(name: string): boolean {
  return /^\w+$/.test(name);
}

interface Metadata {
  readonly engine: string;
  readonly name: string;
  /** Bytes of the first line without its end. */
  readonly length: number;
}

function readMetadata(source: Uint8Array): Metadata {
  if (source[0] !== HASH || source[1] !== BANG) fail("ERR Missing library metadata");
  const length = source.indexOf(LF);
  if (length < 0) fail("ERR Invalid library metadata");
  const [first, ...options] = (splitArguments(source, 0, length) ?? []).map((word) => latin1(word));
  if (first === undefined) fail("ERR Invalid library metadata");
  let name: string | undefined;
  for (const option of options) {
    if (!option.toLowerCase().startsWith(NAME)) fail(`ERR Invalid metadata value given: ${shownText(option)}`);
    if (name !== undefined) fail("ERR Invalid metadata value, name argument was given multiple times");
    name = option.slice(NAME.length);
  }
  return { engine: first.slice(2), name: name ?? fail("ERR Library name was not given"), length };
}
