/**
 * The scripts of EVAL and EVALSHA: the cache, and the Lua state in which they are compiled and run. The state is made
 * with the first script. After a trap, or when it has taken much memory, a new one takes its place; scripts are then
 * compiled again when they are used.
 */
import { CommandError, fail } from "../core/errors.ts";
import { readHeader } from "./shebang.ts";
import type { Call } from "../dispatch/call.ts";
import type { Engine } from "../engine/engine.ts";
import { LuaInstance, type LuaOptions, LuaSyntaxError } from "./instance.ts";
import { Script, ScriptCache, shaOf } from "./script_cache.ts";
import { ScriptRunner } from "./script_runner.ts";

/** The size of a state's memory from which it is not kept. */
export const KEPT_BYTES = 64 * 1024 * 1024;
/** More scripts, or functions, than these count as freed lazily. */
export const FREED_AT_ONCE_MAX = 64;
/** The argument with the number of keys. */
const KEY_COUNT = 2;

export class Scripts {
  readonly cache: ScriptCache = new ScriptCache();
  readonly #engine: Engine;
  readonly #runner: ScriptRunner;
  #lua: LuaInstance | undefined;
  /** The number of states so far; a script's reference belongs to one of them. */
  #generation = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#runner = engine.part(ScriptRunner);
    engine.settings.onChange("lua-memory-limit", () => this.#lua?.setLimit(engine.settings.values.luaMemoryLimit));
  }

  /** Bytes of the Lua state; 0 before the first script. */
  get usedBytes(): number {
    return this.#lua?.usedBytes ?? 0;
  }

  /** Runs the script that is argument 1 of EVAL. Hot. */
  evaluate(call: Call, readOnly: boolean): void {
    const { bytes, start, end } = call.request;
    const keys = keyCountOf(call);
    const script = this.cache.findSource(bytes, start[1], end[1]) ?? this.#load(call.arg(1), true);
    this.#run(call, script, keys, readOnly);
  }

  /** Runs the script whose SHA-1 is argument 1 of EVALSHA. Hot. */
  evaluateSha(call: Call, readOnly: boolean): void {
    const { bytes, start, end } = call.request;
    const script = this.cache.find(bytes, start[1], end[1]);
    const keys = script === undefined && end[1] - start[1] !== 40 ? 0 : keyCountOf(call);
    if (script === undefined) return fail(this.missing);
    this.#run(call, script, keys, readOnly);
  }

  /** The flags of the script of EVAL or EVALSHA; undefined if it is not known, or damaged. */
  flagsOf(call: Call, bySha: boolean): number | undefined {
    const { bytes, start, end } = call.request;
    const script = bySha ? this.cache.find(bytes, start[1], end[1]) : this.cache.findSource(bytes, start[1], end[1]);
    return script?.flags ?? (bySha ? undefined : declaredFlags(call.arg(1)));
  }

  /** The error for a SHA-1 of no known script. */
  get missing(): string {
    const advice = this.#engine.identity.personality === "redis" ? " Please use EVAL." : "";
    return `NOSCRIPT No matching script.${advice}`;
  }

  /** Loads a script for EVALSHA and returns its SHA-1. Throws CommandError if it does not compile. */
  load(source: Uint8Array): string {
    return (this.cache.findSource(source, 0, source.length) ?? this.#load(source, false)).name;
  }

  /** Forgets all scripts. `async` only counts: the memory is given back later in any case. */
  flush(async: boolean): void {
    if (async && this.cache.count > FREED_AT_ONCE_MAX) this.#engine.store.freedLater += this.cache.count;
    this.cache.clear();
    this.#lua = undefined;
  }

  #load(source: Uint8Array, evaluated: boolean): Script {
    const script = new Script(shaOf(source), source, evaluated);
    this.#compile(script);
    for (const forgotten of this.cache.add(script)) {
      this.#engine.stats.evictedScripts++;
      if (forgotten.generation === this.#generation) this.#lua?.release(forgotten.reference);
    }
    return script;
  }

  #run(call: Call, script: Script, keys: number, readOnly: boolean): void {
    let lua = this.#lua;
    if (lua === undefined || script.generation !== this.#generation) lua = this.#compile(script);
    this.cache.used(script);
    this.#runner.run(call, lua, script.reference, KEY_COUNT + 1, keys, script, readOnly);
    if (lua.broken || lua.memoryBytes > KEPT_BYTES) this.#lua = undefined;
    else lua.tidy();
  }

  /** Compiles a script in the present state. Throws CommandError. */
  #compile(script: Script): LuaInstance {
    this.#runner.checkIdle();
    const lua = this.#lua ??= this.#makeState();
    try {
      script.reference = lua.compile(script.code);
      script.generation = this.#generation;
      return lua;
    } catch (error) {
      if (!(error instanceof LuaSyntaxError)) throw error;
      if (lua.broken) this.#lua = undefined;
      return fail(`ERR Error compiling script (new function): ${error.message}`);
    }
  }

  #makeState(): LuaInstance {
    this.#generation++;
    return new LuaInstance(this.#runner, false, luaOptions(this.#engine));
  }
}

/** The flags that a script declares; undefined if its first line is damaged. */
function declaredFlags(source: Uint8Array): number | undefined {
  try {
    return readHeader(source).flags;
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/** The settings of a Lua state. */
export function luaOptions({ identity, settings: { values } }: Engine): LuaOptions {
  const valkey = identity.personality === "valkey";
  return { limitBytes: values.luaMemoryLimit, deprecated: values.luaEnableDeprecatedApi, valkey };
}

/** The number of keys of EVAL and FCALL. Throws CommandError, with `notInteger` if it is no integer. */
export function keyCountOf(call: Call, notInteger?: string): number {
  const keys = call.integer(KEY_COUNT, notInteger);
  if (keys > call.argc - KEY_COUNT - 1) fail("ERR Number of keys can't be greater than number of args");
  if (keys < 0) fail("ERR Number of keys can't be negative");
  return keys;
}
