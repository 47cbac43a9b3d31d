/**
 * The libraries of functions, and the Lua state in which they live. The state is made with the first library. After a
 * trap, or when it has taken much memory, the libraries are loaded into a new one; what their code had kept in its own
 * variables is then lost.
 *
 * The names of functions are unique regardless of case.
 */
import { fail } from "../core/errors.ts";
import type { Call } from "../dispatch/call.ts";
import type { Engine } from "../engine/engine.ts";
import { LuaInstance, LuaSyntaxError } from "./instance.ts";
import { Library, type LibraryFunction } from "./library.ts";
import { ScriptRunner } from "./script_runner.ts";
import { FREED_AT_ONCE_MAX, KEPT_BYTES, luaOptions } from "./scripts.ts";

/** The index of the first key, or argument, of FCALL. */
const FIRST = 3;
/** Bytes that a library and each of its functions cost beside the code. */
const LIBRARY_BYTES = 200, FUNCTION_BYTES = 120;

export class Functions {
  readonly #engine: Engine;
  readonly #runner: ScriptRunner;
  /** By their names. */
  readonly #libraries = new Map<string, Library>();
  /** By their names in lower case. */
  readonly #functions = new Map<string, LibraryFunction>();
  #lua: LuaInstance | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#runner = engine.part(ScriptRunner);
    engine.libraries = {
      sources: () => this.libraries.map(({ source }) => source),
      add: (source, replace) => void this.load(source.slice(), replace, false),
      clear: () => this.flush(false),
    };
    engine.settings.onChange("lua-memory-limit", () => this.#lua?.setLimit(engine.settings.values.luaMemoryLimit));
  }

  get libraries(): readonly Library[] {
    return [...this.#libraries.values()];
  }

  get functionCount(): number {
    return this.#functions.size;
  }

  /** Bytes of the Lua state; 0 before the first library. */
  get usedBytes(): number {
    return this.#lua?.usedBytes ?? 0;
  }

  /** Approximate bytes of the code and its description. */
  get libraryBytes(): number {
    let bytes = this.#functions.size * FUNCTION_BYTES;
    for (const { source } of this.#libraries.values()) bytes += LIBRARY_BYTES + source.length;
    return bytes;
  }

  find(name: string): LibraryFunction | undefined {
    return this.#functions.get(name.toLowerCase());
  }

  /**
   * Adds a library. `replace` allows one of the same name to exist, which then goes. Its code may run for half a second
   * if `limited`. Throws CommandError.
   */
  load(source: Uint8Array, replace: boolean, limited: boolean): Library {
    const library = new Library(source, limited);
    const old = this.#libraries.get(library.name);
    if (old !== undefined && !replace) fail(`ERR Library '${library.name}' already exists`);
    this.#compile(library);
    this.#link([library], old === undefined ? [] : [old]);
    return library;
  }

  /** Adds all libraries of a dump, or none. Throws CommandError. */
  restore(sources: readonly Uint8Array[], policy: "append" | "replace" | "flush"): void {
    const libraries = sources.map((source) => new Library(source, true));
    const names = new Set<string>();
    for (const { name } of libraries) {
      if (names.has(name)) fail(`ERR Library '${name}' already exists`);
      names.add(name);
    }
    for (const library of libraries) this.#compile(library);
    const present = policy === "flush" ? this.libraries : this.libraries.filter(({ name }) => names.has(name));
    if (policy === "append" && present.length > 0) {
      libraries.forEach((library) => this.#release(library));
      fail(`ERR Library ${present[0].name} already exists`);
    }
    this.#link(libraries, present);
  }

  /** Deletes a library. Returns false if there is none of that name. */
  delete(name: string): boolean {
    const library = this.#libraries.get(name);
    if (library === undefined) return false;
    this.#unlink(library);
    this.#release(library);
    return true;
  }

  /** Deletes all libraries and the state. `async` only counts: the memory is given back later in any case. */
  flush(async: boolean): void {
    // As in Redis, the state of the engine counts too.
    if (async && this.#functions.size > FREED_AT_ONCE_MAX) this.#engine.store.freedLater += this.#functions.size + 1;
    this.#libraries.clear();
    this.#functions.clear();
    this.#lua = undefined;
  }

  /** Runs a function with `keys` keys for FCALL. */
  call(call: Call, called: LibraryFunction, keys: number, readOnly: boolean): void {
    const lua = this.#state();
    this.#runner.run(call, lua, called.reference, FIRST, keys, called, readOnly);
    if (lua.broken || lua.memoryBytes > KEPT_BYTES) this.#lua = undefined;
    else lua.tidy();
  }

  /** Registers the functions of a library in the present state. Throws CommandError. */
  #compile(library: Library): void {
    this.#runner.checkIdle();
    const lua = this.#state();
    try {
      this.#runner.load(lua, library.code, library);
    } catch (error) {
      if (!(error instanceof LuaSyntaxError)) throw error;
      if (lua.broken) this.#lua = undefined;
      else this.#release(library);
      fail(`ERR ${error.message}`);
    }
    if (library.functions.size === 0) fail("ERR No functions registered");
  }

  /** Puts libraries in the place of others. If the name of a function is taken, throws and changes nothing. */
  #link(libraries: readonly Library[], replaced: readonly Library[]): void {
    replaced.forEach((library) => this.#unlink(library));
    const taken = this.#takenName(libraries);
    if (taken !== undefined) {
      replaced.forEach((library) => this.#put(library));
      libraries.forEach((library) => this.#release(library));
      fail(`ERR Function ${taken} already exists`);
    }
    libraries.forEach((library) => this.#put(library));
    replaced.forEach((library) => this.#release(library));
  }

  /** The name of a function that exists already, among those present or twice in the libraries. */
  #takenName(libraries: readonly Library[]): string | undefined {
    const names = new Set<string>();
    for (const { functions } of libraries) {
      for (const name of functions.keys()) {
        const key = name.toLowerCase();
        if (names.has(key) || this.#functions.has(key)) return name;
        names.add(key);
      }
    }
  }

  #put(library: Library): void {
    this.#libraries.set(library.name, library);
    for (const [name, each] of library.functions) this.#functions.set(name.toLowerCase(), each);
  }

  #unlink(library: Library): void {
    this.#libraries.delete(library.name);
    for (const name of library.functions.keys()) this.#functions.delete(name.toLowerCase());
  }

  #release({ functions }: Library): void {
    for (const { reference } of functions.values()) this.#lua?.release(reference);
  }

  /** The Lua state with all libraries. */
  #state(): LuaInstance {
    if (this.#lua !== undefined) return this.#lua;
    const lua = this.#lua = new LuaInstance(this.#runner, true, luaOptions(this.#engine));
    for (const { code, functions } of this.#libraries.values()) {
      this.#runner.load(lua, code, {
        limited: false,
        add: ({ name, reference }) => {
          const known = functions.get(name);
          if (known !== undefined) known.reference = reference;
          return 0;
        },
      });
    }
    return lua;
  }
}
