/**
 * The first line of a script, `#!lua flags=no-writes,allow-oom`: which engine runs it, and the rules that it declares.
 * A script without this line follows the older rules: each of its commands is checked when it runs.
 */
import { fail, shownText } from "../core/errors.ts";
import { latin1 } from "../core/bytes.ts";
import { Flag } from "../dispatch/registry.ts";
import { splitArguments } from "../resp/inline.ts";

/** Bits of the flags that a script or a function may declare. */
export const ScriptFlag = {
  NO_WRITES: 1,
  ALLOW_OOM: 2,
  ALLOW_STALE: 4,
  NO_CLUSTER: 8,
  ALLOW_CROSS_SLOT: 16,
  /** Without a first line; no name. */
  UNDECLARED: 32,
} as const;

export const FLAG_NAMES: ReadonlyMap<string, number> = new Map([
  ["no-writes", ScriptFlag.NO_WRITES],
  ["allow-oom", ScriptFlag.ALLOW_OOM],
  ["allow-stale", ScriptFlag.ALLOW_STALE],
  ["no-cluster", ScriptFlag.NO_CLUSTER],
  ["allow-cross-slot-keys", ScriptFlag.ALLOW_CROSS_SLOT],
]);

/**
 * The bits of a command that runs a script with these flags, undefined if it is not known. The flags that a script
 * declares take the place of those of the command.
 */
export function bitsOfScript(flags: number | undefined, bits: number): number {
  const checked = bits & ~Flag.NEEDS_DISK;
  if (flags === undefined || (flags & ScriptFlag.UNDECLARED) !== 0) return checked;
  const declared = checked & ~Flag.MAY_REPLICATE;
  if ((flags & ScriptFlag.NO_WRITES) !== 0) return declared;
  const memory = (flags & ScriptFlag.ALLOW_OOM) === 0 ? Flag.DENY_OOM : 0;
  return declared | Flag.WRITE | Flag.NEEDS_DISK | memory;
}

export interface Header {
  readonly flags: number;
  /** Bytes of the line, without its end; the code keeps the end, so that its lines keep their numbers. */
  readonly length: number;
}

const HASH = 35, BANG = 33, LF = 10;
const FLAGS = "flags=";

/** Reads the header of a script. Throws CommandError. */
export function readHeader(source: Uint8Array): Header {
  if (source[0] !== HASH || source[1] !== BANG) return { flags: ScriptFlag.UNDECLARED, length: 0 };
  const length = source.indexOf(LF);
  if (length < 0) fail("ERR Invalid script shebang");
  const [engine, ...options] = (splitArguments(source, 0, length) ?? []).map((word) => latin1(word));
  if (engine === undefined) fail("ERR Invalid engine in script shebang");
  if (engine !== "#!lua") fail(`ERR Unexpected engine in script shebang: ${shownText(engine)}`);
  let flags = 0;
  for (const option of options) {
    if (!option.startsWith(FLAGS)) fail(`ERR Unknown lua shebang option: ${shownText(option)}`);
    const names = option.slice(FLAGS.length);
    for (const name of names === "" ? [] : names.split(",")) {
      flags |= FLAG_NAMES.get(name) ?? fail(`ERR Unexpected flag in script shebang: ${shownText(name)}`);
    }
  }
  return { flags, length };
}
