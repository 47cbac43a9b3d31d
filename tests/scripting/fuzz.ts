/**
 * Random Lua chunks over the libraries cjson, cmsgpack, struct and bit, and over the language: each returns a value
 * that does not depend on addresses or the order of hashing.
 */
import type { SeededRandom } from "../../src/core/random.ts";
import { oneIn, pick } from "../helpers/property.ts";

const NUMBERS = [
  "0",
  "1",
  "-1",
  "2",
  "7",
  "-8",
  "31",
  "32",
  "-32",
  "-33",
  "127",
  "128",
  "-128",
  "-129",
  "255",
  "256",
  "32767",
  "32768",
  "-32769",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "-2147483648",
  "-2147483649",
  "4294967295",
  "4294967296",
  "9007199254740991",
  "9007199254740992",
  "-9007199254740993",
  "2^62",
  "2^63",
  "-2^63",
  "2^64",
  "1e300",
  "-1e300",
  "0.5",
  "-0.5",
  "1.5",
  "0.1",
  "1/3",
  "3.14159",
  "1e-10",
  "1e15",
  "123456.789",
  "1e21",
  "-0",
  "100",
  "1000000",
];
const NOT_FINITE = ["1/0", "-1/0"];
const STRINGS = [
  "''",
  "'a'",
  "'hello'",
  "'with \"quotes\"'",
  "'\\\\back\\\\slash/'",
  "'\\0zero'",
  "'line\\nbreak\\ttab'",
  "'\\127\\128\\255'",
  "'1'",
  "'-5'",
  "'0x10'",
  "'1e5'",
  "'äöü€'",
  "string.rep('x', 31)",
  "string.rep('x', 32)",
  "string.rep('y', 255)",
  "string.rep('z', 256)",
  "string.rep('w', 65535)",
  "string.rep('v', 65536)",
  "'null'",
  "' space '",
];

/** A Lua expression for a value: at most `depth` tables in each other. */
export function value(random: SeededRandom, depth: number): string {
  const kind = random.below(depth > 0 ? 12 : 8);
  if (kind < 3) return pick(random, NUMBERS);
  if (kind < 6) return pick(random, STRINGS);
  if (kind === 6) return pick(random, ["true", "false", "nil"]);
  if (kind === 7) return oneIn(random, 6) ? pick(random, NOT_FINITE) : pick(random, NUMBERS);
  const count = random.below(5);
  const items = Array.from({ length: count }, () => value(random, depth - 1));
  switch (random.below(5)) {
    case 0:
    case 1:
      return `{${items.join(", ")}}`;
    // One key only, because the order of several depends on their hashes and on the table's history.
    case 2:
      return `{[${pick(random, ["'k'", "'a b'", "5", "1", "-1", "2.5", "'1'", "true"])}] = ${
        value(random, depth - 1)
      }}`;
    case 3:
      return `{${items.join(", ")}, [${pick(random, ["7", "12", "'x'", "1.5"])}] = ${value(random, depth - 1)}}`;
    default:
      return `{n = ${value(random, depth - 1)}}`;
  }
}

/** Turns every value into text that shows its type and all its bytes. */
const SHOW = `
local function show(v, depth)
  local t = type(v)
  if t == 'number' then return 'n' .. string.format('%.17g', v) end
  if t == 'string' then return 's' .. #v .. ':' .. v end
  if t == 'table' then
    if depth > 20 then return '...' end
    local keys, out = {}, {}
    for k in pairs(v) do keys[#keys + 1] = k end
    table.sort(keys, function(a, b) return type(a) .. tostring(a) < type(b) .. tostring(b) end)
    for _, k in ipairs(keys) do out[#out + 1] = show(k, depth + 1) .. '=' .. show(v[k], depth + 1) end
    local mt = getmetatable(v)
    return '{' .. table.concat(out, ',') .. '}' .. (mt and '+' or '')
  end
  if t == 'userdata' then return tostring(v == cjson.null) end
  return t .. (t == 'boolean' and tostring(v) or '')
end
local function all(...)
  local out = {}
  for i = 1, select('#', ...) do out[i] = show((select(i, ...)), 0) end
  return table.concat(out, '|')
end
`;

const JSON_SETTINGS = [
  "cjson.encode_sparse_array(true)",
  "cjson.encode_sparse_array(true, 1, 2)",
  "cjson.encode_sparse_array(false, 0)",
  "cjson.encode_max_depth(3)",
  "cjson.decode_max_depth(3)",
  "cjson.encode_number_precision(5)",
  "cjson.encode_number_precision(14)",
  "cjson.encode_keep_buffer(false)",
  "cjson.encode_invalid_numbers(true)",
  "cjson.encode_invalid_numbers('null')",
  "cjson.decode_invalid_numbers(false)",
  "cjson.decode_invalid_numbers(true)",
  "cjson.decode_array_with_array_mt(true)",
  "cjson.decode_array_with_array_mt(false)",
  "cjson.encode_max_depth(0)",
  "cjson.encode_number_precision(20)",
  "cjson.encode_sparse_array('x')",
  "cjson.decode_array_with_array_mt(1)",
];
/** Restores what the settings above change, because they outlive the script. */
const JSON_DEFAULTS =
  "cjson.encode_sparse_array(false, 2, 10) cjson.encode_max_depth(1000) cjson.decode_max_depth(1000) " +
  "cjson.encode_number_precision(14) cjson.encode_keep_buffer(true) cjson.encode_invalid_numbers(false) " +
  "cjson.decode_invalid_numbers(true) cjson.decode_array_with_array_mt(false)";

const JSON_PIECES = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  '"a"',
  '"a\\u0041\\n"',
  "1",
  "-1.5e3",
  "0x1F",
  "nan",
  "NaN",
  "inf",
  "-Infinity",
  "true",
  "false",
  "null",
  "tru",
  " ",
  "\\",
  '"\\ud83d\\ude00"',
  '"\\ud83d"',
  '"\\u00e9"',
  "01",
  "+1",
  ".5",
  "1.",
  "1e",
  '"\\x"',
  "\t",
  "{}",
  "[]",
  '{"a":[1,2]}',
  "\0",
];

function luaString(text: string): string {
  let out = "'";
  for (const c of text) {
    const code = c.charCodeAt(0);
    out += code < 32 || code > 126 || c === "'" || c === "\\" ? `\\${String(code).padStart(3, "0")}` : c;
  }
  return out + "'";
}

function randomBytesText(random: SeededRandom, length: number): string {
  return Array.from({ length }, () => String.fromCharCode(random.below(256))).join("");
}

function json(random: SeededRandom): string {
  const setting = oneIn(random, 3) ? `all(pcall(function() return ${pick(random, JSON_SETTINGS)} end))` : "''";
  const body = () => {
    switch (random.below(4)) {
      case 0:
        return `cjson.encode(${value(random, 4)})`;
      case 1:
        return `cjson.decode(cjson.encode(${value(random, 4)}))`;
      case 2:
        return `cjson.encode(cjson.decode(${luaString(pieces(random, JSON_PIECES))}))`;
      default:
        return `cjson.decode(${luaString(pieces(random, JSON_PIECES))})`;
    }
  };
  return `${SHOW} local out = ${setting} .. all(pcall(function() return ${body()} end)) .. '#' .. all(pcall(function() return ${body()} end))
${JSON_DEFAULTS} return out`;
}

function pieces(random: SeededRandom, from: readonly string[]): string {
  return Array.from({ length: 1 + random.below(7) }, () => pick(random, from)).join("");
}

function msgpack(random: SeededRandom): string {
  const body = () => {
    const values = Array.from({ length: 1 + random.below(3) }, () => value(random, 5)).join(", ");
    switch (random.below(6)) {
      case 0:
        return `cmsgpack.pack(${values})`;
      case 1:
        return `cmsgpack.unpack(cmsgpack.pack(${values}))`;
      case 2:
        return `cmsgpack.unpack(${luaString(randomBytesText(random, random.below(12)))})`;
      case 3:
        return `cmsgpack.unpack_one(cmsgpack.pack(${values}), ${random.below(6) - 1})`;
      case 4:
        return `cmsgpack.unpack_limit(cmsgpack.pack(${values}), ${random.below(4) - 1}, ${random.below(5) - 1})`;
      default:
        return `cmsgpack.unpack(string.sub(cmsgpack.pack(${values}), 1, ${random.below(40)}))`;
    }
  };
  return `${SHOW} return all(pcall(function() return ${body()} end)) .. '#' .. all(pcall(function() return ${body()} end))`;
}

const FORMATS = [
  "b",
  "B",
  "h",
  "H",
  "l",
  "L",
  "T",
  "i",
  "I",
  "f",
  "d",
  "s",
  "x",
  "c",
  "c0",
  "c3",
  "i1",
  "i2",
  "i3",
  "i4",
  "i8",
  "I8",
  "i16",
  "I5",
  "I32",
  "i33",
  "i0",
  ">",
  "<",
  "!",
  "!1",
  "!2",
  "!4",
  "!8",
  "!16",
  "!3",
  " ",
  "=",
  "z",
  "Bc0",
  "c99999999999",
  "Hc0",
  "i9",
  "Q",
];

function struct(random: SeededRandom): string {
  const format = () => luaString(pieces(random, FORMATS));
  const body = () => {
    const values = Array.from({ length: random.below(6) }, () => value(random, 0)).join(", ");
    const more = values === "" ? "" : `, ${values}`;
    const f = format();
    switch (random.below(5)) {
      case 0:
        return `struct.pack(${f}${more})`;
      case 1:
        return `struct.unpack(${f}, struct.pack(${f}${more}))`;
      case 2:
        return `struct.unpack(${f}, ${luaString(randomBytesText(random, random.below(40)))}${
          oneIn(random, 3) ? `, ${pick(random, ["0", "1", "2", "5", "100", "-1", "2^40", "1.5"])}` : ""
        })`;
      case 3:
        return `struct.size(${f})`;
      default:
        return `struct.unpack(${format()}, struct.pack(${f}${more}))`;
    }
  };
  return `${SHOW} return all(pcall(function() return ${body()} end)) .. '#' .. all(pcall(function() return ${body()} end))`;
}

const BIT_FUNCTIONS = [
  "tobit",
  "bnot",
  "band",
  "bor",
  "bxor",
  "lshift",
  "rshift",
  "arshift",
  "rol",
  "ror",
  "bswap",
  "tohex",
];

function bit(random: SeededRandom): string {
  const calls = Array.from({ length: 4 }, () => {
    const args = Array.from({ length: random.below(4) }, () => value(random, 0)).join(", ");
    return `all(pcall(function() return bit.${pick(random, BIT_FUNCTIONS)}(${args}) end))`;
  });
  return `${SHOW} return ${calls.join(" .. '#' .. ")}`;
}

const PATTERNS = [
  "a",
  ".",
  "%a+",
  "(%w)(%w)",
  "^h",
  "o$",
  "[a-z]*",
  "[^%s]+",
  "%d",
  "l-",
  "()",
  "%b()",
  "%f[%w]%w+",
  ".-x",
  "(a*(.)%w(%s*))",
  "%",
  "[",
  "(",
  ")",
  "%1",
  "",
  "a?b?c?",
  "[]]",
  "[%]]",
  "[^]",
  "%z",
  "x*",
  "(.)%1",
  "[a-]",
  "%%",
  ".*",
  "((a)(b))",
];
const STRING_CALLS: readonly ((random: SeededRandom) => string)[] = [
  (r) => `string.find(${value(r, 0)}, ${luaString(pick(r, PATTERNS))}, ${value(r, 0)})`,
  (r) => `string.match(${value(r, 0)}, ${luaString(pick(r, PATTERNS) + pick(r, PATTERNS))})`,
  (r) =>
    `string.gsub(${value(r, 0)}, ${luaString(pick(r, PATTERNS))}, ${
      pick(r, ["'x'", "'%0%1'", "'%2'", "{a = 'b'}", "string.upper", value(r, 1)])
    })`,
  (r) => `string.gsub(${value(r, 0)}, ${luaString(pick(r, PATTERNS))}, '<%0>', ${value(r, 0)})`,
  (r) => `string.sub(${value(r, 0)}, ${value(r, 0)}, ${value(r, 0)})`,
  (r) => `string.byte(${value(r, 0)}, ${value(r, 0)}, ${pick(r, ["1", "5", "-1", value(r, 0)])})`,
  (r) => `string.rep(${value(r, 0)}, ${random3(r)})`,
  (r) =>
    `string.format(${
      luaString(
        pick(r, [
          "%d",
          "%5.2f",
          "%s",
          "%x",
          "%q",
          "%g",
          "%.3s",
          "%10s|",
          "%-10d|",
          "%+d",
          "%e",
          "%c",
          "%i",
          "%o",
          "%u",
          "%5",
          "%%",
          "% d",
          "%#x",
          "%.20f",
          "%.14g",
        ]),
      )
    }, ${value(r, 1)})`,
  (r) => `tonumber(${value(r, 0)}, ${pick(r, ["10", "16", "2", "36", "8", value(r, 0)])})`,
  (r) => `tonumber(${value(r, 0)})`,
  (r) => `tostring(${value(r, 0)})`,
  (r) => `${value(r, 0)} .. ${value(r, 0)}`,
  (r) => `${value(r, 0)} ${pick(r, ["+", "-", "*", "/", "%", "^"])} ${value(r, 0)}`,
  (r) => `${value(r, 0)} ${pick(r, ["<", "<=", "==", "~=", ">", ">="])} ${value(r, 0)}`,
  (r) => `#${pick(r, STRINGS)}`,
  (r) => `table.concat(${value(r, 1)}, ${value(r, 0)}, ${random3(r)}, ${random3(r)})`,
  (r) => `unpack(${value(r, 1)}, ${random3(r)}, ${random3(r)})`,
  (r) => `select(${value(r, 0)}, 1, 'b', nil)`,
  (r) =>
    `math.${pick(r, ["floor", "ceil", "abs", "sqrt", "fmod", "modf", "max", "min", "frexp", "ldexp", "pow"])}(${
      value(r, 0)
    }, ${value(r, 0)})`,
  (r) => `string.${pick(r, ["upper", "lower", "reverse", "len"])}(${value(r, 0)})`,
  (r) => `string.char(${random3(r)}, ${value(r, 0)})`,
];

function random3(random: SeededRandom): string {
  return String(random.below(12) - 3);
}

function language(random: SeededRandom): string {
  const calls = Array.from(
    { length: 3 },
    () => `all(pcall(function() return ${pick(random, STRING_CALLS)(random)} end))`,
  );
  return `${SHOW} return ${calls.join(" .. '#' .. ")}`;
}

/** Longer values make hashes and sets tables, whose order is not Redis's. */
const SHORT_STRINGS = STRINGS.filter((text) => !/\d{3}\)$/.test(text));

function short(random: SeededRandom): string {
  return oneIn(random, 2) ? pick(random, NUMBERS) : pick(random, SHORT_STRINGS);
}

const COMMANDS: readonly ((random: SeededRandom) => string)[] = [
  (r) => `'SET', '${name(r)}', ${value(r, 0)}`,
  (r) => `'GET', '${name(r)}'`,
  (r) => `'INCR', '${name(r)}'`,
  (r) => `'RPUSH', '${name(r)}', ${value(r, 0)}, ${value(r, 0)}`,
  (r) => `'LRANGE', '${name(r)}', 0, -1`,
  (r) => `'LPOP', '${name(r)}', 2`,
  (r) => `'HSET', '${name(r)}', ${short(r)}, ${short(r)}`,
  (r) => `'HGETALL', '${name(r)}'`,
  (r) => `'SADD', '${name(r)}', ${short(r)}`,
  (r) => `'SMEMBERS', '${name(r)}'`,
  (r) => `'ZADD', '${name(r)}', ${short(r)}, 'm'`,
  (r) => `'ZRANGE', '${name(r)}', 0, -1, 'WITHSCORES'`,
  (r) => `'ZSCORE', '${name(r)}', 'm'`,
  (r) => `'TYPE', '${name(r)}'`,
  (r) => `'DEL', '${name(r)}'`,
  () => `'MGET', 'a', 'b', 'c'`,
  (r) => `'APPEND', '${name(r)}', ${value(r, 0)}`,
  (r) => `'EXPIRE', '${name(r)}', 1000`,
  (r) => `'NOPE', ${value(r, 1)}`,
  (r) => `'SET', ${value(r, 1)}`,
  (r) =>
    `'DEBUG', 'PROTOCOL', '${
      pick(r, [
        "string",
        "integer",
        "double",
        "null",
        "array",
        "set",
        "map",
        "attrib",
        "verbatim",
        "true",
        "false",
        "bignum",
      ])
    }'`,
];

function name(random: SeededRandom): string {
  return pick(random, ["a", "b", "c"]);
}

/** A chunk that calls commands and returns what they return. */
function commands(random: SeededRandom): string {
  const lines = Array.from({ length: 1 + random.below(6) }, () => {
    const args = pick(random, COMMANDS)(random);
    switch (random.below(5)) {
      case 0:
        return `redis.setresp(${2 + random.below(2)})`;
      case 1:
        return `out[#out + 1] = redis.call(${args})`;
      case 2:
        return `out[#out + 1] = all(redis.pcall(${args}))`;
      case 3:
        return `out[#out + 1] = all(pcall(redis.call, ${args}))`;
      default:
        return `out[#out + 1] = redis.pcall(${args})`;
    }
  });
  return `${SHOW} local out = {} ${lines.join("\n")} return ${
    pick(random, ["out", "out[#out]", "{map = {x = out}}", "all(out)"])
  }`;
}

export const GENERATORS: Readonly<Record<string, (random: SeededRandom) => string>> = {
  cjson: json,
  cmsgpack: msgpack,
  struct,
  bit,
  language,
  commands,
};
