/**
 * The kinds of values a setting can have: how the text of a file, a flag or CONFIG SET becomes a value, and the texts
 * of it that CONFIG GET prints and CONFIG REWRITE writes. This file owns those rules, the ranges and the error texts,
 * which are Redis's. It does not know any single setting; those stand in table.ts and compatibility.ts.
 */
import { resolve } from "node:path";
import { quoteWord } from "./config_file.ts";

/**
 * The reason why a value is invalid, in Redis's words if Redis has them. It is a part of an error reply or of a line on
 * stderr.
 */
export class SettingError extends Error {
  override name = "SettingError";
}

/** A value and its canonical text, which CONFIG GET prints; the text is exact where a number is not. */
export interface Reading<V> {
  readonly value: V;
  readonly text: string;
}

export interface Kind<V> {
  /** The placeholder of the value in help texts. */
  readonly hint: string;
  /** Takes any number of words (`save 900 1`); all other kinds take exactly one. */
  readonly many: boolean;
  /** Lines of a file, and flags, that name the setting again add to the words before. */
  readonly adds?: true;
  /** Reads words. `before` is the reading in force, for kinds that change part of it. Throws SettingError. */
  read(words: readonly string[], before: Reading<V> | undefined): Reading<V>;
  /** The lines of a config file, each without the name in front. */
  lines(reading: Reading<V>): string[];
}

function fail(reason: string): never {
  throw new SettingError(reason);
}

/** A kind of one word. */
function single<V>(hint: string, read: (word: string) => Reading<V>, line?: (reading: Reading<V>) => string): Kind<V> {
  return {
    hint,
    many: false,
    read: (words) => read(words[0]),
    lines: (reading) => [line ? line(reading) : reading.text],
  };
}

export const yesNo: Kind<boolean> = single("BOOL", (word) => {
  const text = word.toLowerCase();
  if (text !== "yes" && text !== "no") fail("argument must be 'yes' or 'no'");
  return { value: text === "yes", text };
});

export const INT_MAX = 2147483647;
export const UINT_MAX = 4294967295;
export const LONG_MAX = 9223372036854775807n;
export const ULONG_MAX = 18446744073709551615n;

function inRange(value: bigint, min: bigint, max: bigint): bigint {
  if (value < min || value > max) fail(`argument must be between ${min} and ${max} inclusive`);
  return value;
}

/** A whole number of Redis's strict form. `clamp` bounds a number in range further, without an error. */
export function int(min: number, max: number | bigint, clamp?: readonly [number, number], hint = "N"): Kind<number> {
  return single(hint, (word) => {
    if (!/^(0|-?[1-9][0-9]*)$/.test(word)) fail("argument couldn't be parsed into an integer");
    let value = BigInt(word);
    if (value > LONG_MAX || value < -LONG_MAX - 1n) fail("argument couldn't be parsed into an integer");
    value = inRange(value, BigInt(min), BigInt(max));
    if (clamp && value < clamp[0]) value = BigInt(clamp[0]);
    if (clamp && value > clamp[1]) value = BigInt(clamp[1]);
    return { value: Number(value), text: `${value}` };
  });
}

export const octal: Kind<number> = single("MODE", (word) => {
  if (!/^[0-7]+$/.test(word)) fail("argument couldn't be parsed as an octal number");
  const value = parseInt(word, 8);
  if (value > 0o777) fail("argument must be between 0 and 777 inclusive");
  return { value, text: value.toString(8) };
});

const UNITS: Readonly<Record<string, bigint>> = {
  "": 1n,
  b: 1n,
  k: 1000n,
  kb: 1024n,
  m: 1000n ** 2n,
  mb: 1024n ** 2n,
  g: 1000n ** 3n,
  gb: 1024n ** 3n,
};

/**
 * Bytes from `100`, `100kb`, `1GB`, …: k, m and g are powers of 1000, kb, mb and gb powers of 1024. As in Redis, a text
 * without digits is zero, and a product beyond 64 bits wraps around. Undefined if the text is not a size.
 */
export function parseMemory(word: string): bigint | undefined {
  const match = /^([0-9]{0,127})([a-z]*)$/i.exec(word);
  const unit = match === null ? undefined : UNITS[match[2].toLowerCase()];
  if (match === null || unit === undefined) return undefined;
  const digits = BigInt(match[1]);
  return BigInt.asUintN(64, (digits > ULONG_MAX ? ULONG_MAX : digits) * unit);
}

/** Formats bytes for a config file: in the largest unit that divides them. */
function formatBytes(bytes: bigint): string {
  for (const unit of ["gb", "mb", "kb"]) {
    if (bytes !== 0n && bytes % UNITS[unit] === 0n) return `${bytes / UNITS[unit]}${unit}`;
  }
  return `${bytes}`;
}

/** A size in bytes. */
export function memory(min: number, max: bigint, clamp?: number): Kind<number> {
  return single("BYTES", (word) => {
    let bytes = inRange(parseMemory(word) ?? fail("argument must be a memory value"), BigInt(min), max);
    if (clamp !== undefined && bytes < clamp) bytes = BigInt(clamp);
    return { value: Number(bytes), text: `${bytes}` };
  }, ({ text }) => formatBytes(BigInt(text)));
}

/** A size in bytes, or a share of maxmemory: -5 for "5%". */
export const memoryOrPercent: Kind<number> = single("BYTES|PERCENT%", (word) => {
  const wrong = () => fail("argument must be a memory or percent value");
  if (!word.endsWith("%")) {
    const bytes = parseMemory(word) ?? wrong();
    return { value: Number(bytes), text: `${bytes}` };
  }
  if (!/^[0-9]{1,18}%$/.test(word)) wrong();
  const percent = Number(word.slice(0, -1));
  if (percent > 100) fail("percentage argument must be less or equal to 100");
  return { value: -percent, text: `${percent}%` };
});

function pick(words: readonly string[], choices: readonly string[]): string[] {
  const picked = words.map((word) => choices.find((choice) => choice.toLowerCase() === word.toLowerCase()));
  if (picked.length === 0 || picked.includes(undefined)) {
    fail(`argument(s) must be one of the following: ${choices.join(", ")}`);
  }
  return choices.filter((choice) => picked.includes(choice));
}

/** One of several words. */
export function choice<const C extends string>(...choices: readonly C[]): Kind<C> {
  return single(choices.join("|"), (word) => {
    const [text] = pick([word], choices);
    return { value: text as C, text };
  });
}

/**
 * Some of several words, printed in the order of `choices`. `check` throws SettingError for words that exclude each
 * other.
 */
function wordSet(
  choices: readonly string[],
  check: (words: readonly string[]) => void = () => {},
): Kind<readonly string[]> {
  return {
    hint: "WORD ...",
    many: true,
    read(words) {
      const value = pick(words, choices);
      check(value);
      return { value, text: value.join(" ") };
    },
    lines: ({ text }) => [text],
  };
}

/** Options of SHUTDOWN for a signal. */
export const shutdownWords = wordSet(["default", "save", "nosave", "now", "force"], (words) => {
  if (words.includes("save") && words.includes("nosave")) {
    fail("shutdown options SAVE and NOSAVE can't be used simultaneously");
  }
});

/** Which statistics a cluster's node keeps of each slot. */
export const slotStatistics = wordSet(["no", "yes", "cpu", "net", "mem"]);

/** Host and port of a primary; "no one", as none, is the same as no words. */
export const primaryAddress: Kind<readonly string[]> = {
  hint: "HOST PORT",
  many: true,
  read(words) {
    const text = words.join(" ");
    const value = /^(no one)?$/i.test(text) ? [] : words;
    return { value, text: value.join(" ") };
  },
  lines: ({ text }) => [text === "" ? "no one" : text],
};

/** Any number of words. */
export const anyWords: Kind<readonly string[]> = {
  hint: "WORD ...",
  many: true,
  read: (words) => ({ value: words.filter((word) => word !== ""), text: words.join(" ") }),
  lines: ({ text }) => [text === "" ? '""' : text],
};

/** Any text. `check` throws SettingError for a text that is not allowed. */
export function text(hint = "TEXT", check?: (word: string) => void): Kind<string> {
  return single(hint, (word) => {
    check?.(word);
    return { value: word, text: word };
  }, (reading) => quoteWord(reading.text));
}

/** The path of a folder; a relative one starts from the folder before. A listener checks that it exists. */
export const folder: Kind<string> = {
  hint: "PATH",
  many: false,
  read(words, before) {
    const value = before === undefined ? words[0] : resolve(before.value, words[0]);
    return { value, text: value };
  },
  lines: ({ text }) => [quoteWord(text)],
};

/** The name of a file or folder, without a path. */
export function plainName(setting: string, noun: "filename" | "dirname", mayBeEmpty: boolean): Kind<string> {
  return text("NAME", (word) => {
    if (word === "" && !mayBeEmpty) fail(`${setting} can't be empty`);
    if (/[/\\]/.test(word)) fail(`${setting} can't be a path, just a ${noun}`);
  });
}

/** A text that matches `pattern`; otherwise the error is `reason`. */
export function textOf(pattern: RegExp, reason: string, hint = "TEXT"): Kind<string> {
  return text(hint, (word) => {
    if (!pattern.test(word)) fail(reason);
  });
}

export const locale: Kind<string> = textOf(/^(|C|POSIX)$/, "Invalid locale name");

export const titleTemplate: Kind<string> = text("TEMPLATE", (word) => {
  const variables = /\{(title|listen-addr|server-mode|port|tls-port|unixsocket|config-file)\}/g;
  if (word === "" || /[{}]/.test(word.replaceAll(variables, ""))) {
    fail("template format is invalid or contains unknown variables");
  }
});

const ADDRESS_LIMIT = 16;

/** Addresses to listen on. A leading "-" marks one that may be missing on this machine; none at all is possible. */
export const addresses: Kind<readonly string[]> = {
  hint: "ADDRESS ...",
  many: true,
  read(words) {
    const value = words.filter((word) => word !== "");
    if (value.length > ADDRESS_LIMIT) fail("Too many bind addresses specified.");
    return { value, text: value.join(" ") };
  },
  lines: ({ text }) => [text === "" ? '""' : text],
};

export interface SavePoint {
  readonly seconds: number;
  readonly changes: number;
}

/** Pairs of seconds and changes; nothing, or one empty word, for none. */
export const savePoints: Kind<readonly SavePoint[]> = {
  hint: "SECONDS CHANGES ...",
  many: true,
  adds: true,
  read(words) {
    const numbers = words.length === 1 && words[0] === "" ? [] : words;
    if (numbers.length % 2 !== 0 || !numbers.every((word) => /^[0-9]{1,15}$/.test(word))) {
      fail("Invalid save parameters");
    }
    const value: SavePoint[] = [];
    for (let i = 0; i < numbers.length; i += 2) {
      const point = { seconds: Number(numbers[i]), changes: Number(numbers[i + 1]) };
      if (point.seconds < 1) fail("Invalid save parameters");
      value.push(point);
    }
    return { value, text: value.map(({ seconds, changes }) => `${seconds} ${changes}`).join(" ") };
  },
  lines: ({ value }) => value.length === 0 ? ['""'] : value.map(({ seconds, changes }) => `${seconds} ${changes}`),
};

/** Limits of a client: it is disconnected above `hard` bytes, or after `seconds` above `soft` bytes; 0 is no limit. */
export interface BufferLimit {
  readonly hard: number;
  readonly soft: number;
  readonly seconds: number;
}

export interface BufferLimits {
  readonly normal: BufferLimit;
  readonly replica: BufferLimit;
  readonly pubsub: BufferLimit;
}

const NO_LIMIT: BufferLimit = { hard: 0, soft: 0, seconds: 0 };

/** Groups of class, hard limit, soft limit and seconds; classes that are not named keep their limits. */
export const bufferLimits: Kind<BufferLimits> = {
  hint: "CLASS HARD SOFT SECONDS ...",
  many: true,
  adds: true,
  read(words, before) {
    if (words.length % 4 !== 0) fail("Wrong number of arguments in buffer limit configuration.");
    const value = { normal: NO_LIMIT, replica: NO_LIMIT, pubsub: NO_LIMIT, ...before?.value };
    for (let i = 0; i < words.length; i += 4) {
      const word = words[i].toLowerCase();
      const name = word === "slave" ? "replica" : word;
      if (name !== "normal" && name !== "replica" && name !== "pubsub") {
        fail("Invalid client class specified in buffer limit configuration.");
      }
      const hard = parseMemory(words[i + 1]);
      const soft = parseMemory(words[i + 2]);
      if (hard === undefined || soft === undefined || !/^[0-9]{1,15}$/.test(words[i + 3])) {
        fail("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
      }
      value[name] = { hard: Number(hard), soft: Number(soft), seconds: Number(words[i + 3]) };
    }
    const part = (name: string, { hard, soft, seconds }: BufferLimit) => `${name} ${hard} ${soft} ${seconds}`;
    const text = [part("normal", value.normal), part("slave", value.replica), part("pubsub", value.pubsub)].join(" ");
    return { value, text };
  },
  lines: ({ value }) =>
    Object.entries(value as BufferLimits & Record<string, BufferLimit>).map(([name, { hard, soft, seconds }]) =>
      `${name} ${formatBytes(BigInt(hard))} ${formatBytes(BigInt(soft))} ${seconds}`
    ),
};

/** Percentiles between 0 and 100, printed with at most six decimals. */
export const percentiles: Kind<readonly number[]> = {
  hint: "PERCENTILE ...",
  many: true,
  read(words) {
    const numbers = words.length === 1 && words[0] === "" ? [] : words;
    const value = numbers.map((word) => {
      if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(word)) {
        fail("Invalid latency-tracking-info-percentiles parameters");
      }
      return Number(word);
    });
    if (value.some((number) => number < 0 || number > 100)) {
      fail("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
    }
    return { value, text: value.map((number) => `${Number(number.toFixed(6))}`).join(" ") };
  },
  lines: ({ text }) => [text === "" ? '""' : text],
};

/** Three adjustments of the kernel's out-of-memory score. */
export const oomAdjustments: Kind<readonly number[]> = {
  hint: "N N N",
  many: true,
  read(words) {
    if (words.length !== 3) fail("wrong number of arguments");
    const value = words.map((word) => /^-?[0-9]{1,5}$/.test(word) ? Number(word) : NaN);
    if (!value.every((number) => number >= -2000 && number <= 2000)) {
      fail("Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
    }
    return { value, text: value.join(" ") };
  },
  lines: ({ text }) => [text],
};

/** The bit of each class of keyspace events, by its letter, in the value of notify-keyspace-events. */
export const NOTIFY_BITS = {
  g: 1 << 2,
  $: 1 << 3,
  l: 1 << 4,
  s: 1 << 5,
  h: 1 << 6,
  z: 1 << 7,
  x: 1 << 8,
  e: 1 << 9,
  t: 1 << 10,
  d: 1 << 13,
  n: 1 << 14,
  o: 1 << 15,
  c: 1 << 16,
  K: 1 << 0,
  E: 1 << 1,
  m: 1 << 11,
} as const;

const NOTIFY_LETTERS: readonly (readonly [string, number])[] = Object.entries(NOTIFY_BITS);
/** "A" stands for the first ten letters; Redis prints it alone for them, and then leaves out "n", "o" and "c". */
const NOTIFY_ALL_LETTERS = 10, NOTIFY_MORE_LETTERS = 3;
const NOTIFY_ALL = NOTIFY_LETTERS.slice(0, NOTIFY_ALL_LETTERS).reduce((bits, [, bit]) => bits | bit, 0);

export const notifyClasses: Kind<number> = single("LETTERS", (word) => {
  let value = 0;
  for (const letter of word) {
    const bits = letter === "A" ? NOTIFY_ALL : NOTIFY_LETTERS.find(([known]) => known === letter)?.[1];
    value |= bits ?? fail("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
  }
  const all = (value & NOTIFY_ALL) === NOTIFY_ALL;
  const listed = all ? NOTIFY_LETTERS.slice(NOTIFY_ALL_LETTERS + NOTIFY_MORE_LETTERS) : NOTIFY_LETTERS;
  const letters = listed.filter(([, bit]) => value & bit).map(([letter]) => letter).join("");
  return { value, text: (all ? "A" : "") + letters };
}, ({ text }) => quoteWord(text));

// Kinds that many settings share.
export const whole = int(0, INT_MAX);
export const long = int(0, LONG_MAX);
export const bytes = memory(0, LONG_MAX);
export const portNumber = int(0, 65535, undefined, "PORT");
