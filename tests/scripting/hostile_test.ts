/**
 * Hostile scripts: each gets an error or a harmless result, its memory is given back, and the server and the scripts of
 * others are as before. Scripts that never end are in busy_test.ts.
 */
import { assertEquals } from "@std/assert";
import { Scripts } from "../../src/scripting/scripts.ts";
import { type TestServer, withServer } from "../helpers/server.ts";
import type { TestClient } from "../helpers/client.ts";

const LIMIT = "32mb";
/** Bytes of the Lua state that a script may leave behind. */
const REST_BYTES = 4 * 1024 * 1024;
/** What other scripts rely on. It must work after every hostile script. */
const PROBE =
  "return {string.format('%d', 5), #KEYS, tostring(rawget(_G, 'x')), cjson.encode({1}), redis.call('GET', 'k'), " +
  "select('#', pcall(error)), tostring(getmetatable('').__index == string), math.max(1, 2), table.concat({'a', 'b'}), " +
  "tostring(tonumber('7')), type(cmsgpack.unpack), bit.band(3, 2), struct.size('i')}";

/** Scripts and what their replies look like. */
const HOSTILE: Readonly<Record<string, readonly [script: string, reply: RegExp]>> = {
  // Memory
  "a string of gigabytes": ["return string.rep('x', 2147483647)", /not enough memory/],
  "a string that doubles": ["local s = 'x' while true do s = s .. s end", /not enough memory/],
  "a string that doubles, caught": [
    "local s = 'x' return tostring(pcall(function() while true do s = s .. s end end))",
    /false/,
  ],
  "an endless table": ["local t = {} while true do t[#t + 1] = {} end", /not enough memory/],
  "an endless table, caught again and again": [
    "local t = {} for i = 1, 5 do pcall(function() while true do t[#t + 1] = string.rep('x', 10000) .. #t end end) end return 'over'",
    /over|not enough memory/,
  ],
  "an endless hash": ["local t, i = {}, 0 while true do i = i + 1 t['k' .. i] = i end", /not enough memory/],
  "a huge array part": ["local t = {} for i = 1, 1e8 do t[i] = 1 end", /not enough memory/],
  "a huge concatenation": [
    "local t = {} for i = 1, 100000 do t[i] = string.rep('x', 1000) end return #table.concat(t)",
    /not enough memory/,
  ],
  "a substitution that grows": [
    "return #string.gsub(string.rep('a', 1000000), 'a', string.rep('b', 1000))",
    /not enough memory/,
  ],
  "a format that grows": [
    "return #string.format('%s%s%s%s%s', unpack((function() local s = string.rep('x', 8000000) return {s, s, s, s, s} end)()))",
    /not enough memory/,
  ],
  "a reversed giant": [
    "local s = string.rep('x', 12000000) return #(s:reverse() .. s:upper() .. s:lower())",
    /not enough memory/,
  ],
  "a giant argument": ["return redis.call('SET', 'big', string.rep('x', 20000000))", /not enough memory/],
  "a giant message": ["return redis.call('ECHO', string.rep('x', 14000000))", /not enough memory|OOM|\$14000000/],
  "a bomb of cjson": [
    "local t = {} for i = 1, 30 do t = {t, t} end return #cjson.encode(t)",
    /not enough memory/,
  ],
  "a deep cjson text": ["return cjson.decode(string.rep('[', 100000))", /Found too many nested data structures/],
  "a deep cjson text within every limit": [
    "cjson.decode_max_depth(1000000) local ok, e = pcall(cjson.decode, string.rep('[', 100000)) cjson.decode_max_depth(1000) return tostring(e)",
    /nested data structures/,
  ],
  "a deep table for cjson": [
    "cjson.encode_max_depth(1000000) local t = {} for i = 1, 100000 do t = {t} end local ok, e = pcall(cjson.encode, t) cjson.encode_max_depth(1000) return tostring(e)",
    /Cannot serialise|nested|stack/,
  ],
  "a sparse array for cjson": ["return cjson.encode({[2147483647] = 1})", /excessively sparse array/],
  "a table in itself for cjson": ["local t = {} t.t = t return cjson.encode(t)", /excessive nesting/],
  "a bomb of cmsgpack": [
    "local t = {} for i = 1, 15 do t = {t, t, t, t} end return #cmsgpack.pack(t)",
    /not enough memory/,
  ],
  "a lie of cmsgpack about a length": ["return cmsgpack.unpack('\\221\\255\\255\\255\\255')", /Missing bytes in input/],
  "a deep text of cmsgpack": [
    "return cmsgpack.unpack(string.rep('\\145', 1000000))",
    /stack overflow|too many|Missing/,
  ],
  "a lie of struct about a length": [
    "return struct.unpack('Ic0', struct.pack('I', 4294967295))",
    /data string too short/,
  ],
  "a format of struct that overflows": ["return struct.unpack('c99999999999999', 'x')", /integral size overflow/],
  "an offset of struct beyond all": ["return struct.unpack('I', 'abcdefgh', -10)", /data string too short/],
  // Depth
  "a deep recursion": ["local function f() return 1 + f() end return f()", /stack overflow/],
  "a deep recursion through pcall": ["local function f() return pcall(f) end return f()", /^:1|stack overflow/],
  "a deep recursion through gsub": [
    "local function f() return (string.gsub('a', 'a', f)) end return f()",
    /stack overflow/,
  ],
  "a deep recursion through sort": [
    "local t = {1, 2, 3} local function f() table.sort(t, function() f() end) end f()",
    /stack overflow/,
  ],
  "a deep recursion through metamethods": [
    "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
    /stack overflow/,
  ],
  "a chain of __index tables": [
    "local t = {} setmetatable(t, {__index = t}) return t.x",
    /loop in gettable/,
  ],
  "a deep recursion through tostring": [
    "local t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) return tostring(t)",
    /stack overflow/,
  ],
  "a deep recursion through coroutines": [
    "local function f() return coroutine.wrap(f)() end return f()",
    /stack overflow/,
  ],
  "a deep recursion through xpcall": ["local function f() return xpcall(f, f) end return f()", /./],
  "a handler that fails in its handler": [
    "xpcall(error, function() error() end) local function h() error('x') end return {xpcall(h, h)}",
    /./,
  ],
  "a pattern with many optional items": [
    "return string.match(string.rep('a', 500000), string.rep('a?', 500000))",
    /pattern too complex/,
  ],
  "a pattern with many captures": ["return string.find('a', string.rep('(a', 100))", /^\$-1/],
  "code with many brackets": [
    "return loadstring('return ' .. string.rep('(', 100000) .. '1')",
    /^\$-1|chunk has too many syntax levels/,
  ],
  "code with many blocks": ["return {loadstring(string.rep('do ', 100000))}", /too many syntax levels|^\*0/],
  "code with many variables": [
    "local s = {} for i = 1, 300 do s[i] = 'local a' .. i end return {loadstring(table.concat(s, ' '))}",
    /^\*0|too many local variables/,
  ],
  "a reply in itself": ["local t = {} t[1] = t return t", /reached lua stack limit/],
  "many results": ["return unpack({}, 1, 1000000)", /too many results to unpack/],
  "many arguments": ["return redis.call('ECHO', unpack({}, 1, 7000))", /must be strings or integers/],
  // Errors that have crashed servers
  "an empty table as an error": ["error({})", /^-ERR unknown error/],
  "an error whose text is a table": ["error({err = {}})", /^-ERR unknown error/],
  "an error whose text is true": ["error({err = true})", /^-ERR unknown error/],
  "an error whose fields fail": ["error(setmetatable({}, {__index = function() error('again') end}))", /^-/],
  "an error that cannot be changed": ["error(redis)", /^-/],
  "an error that calls the server": [
    "error(setmetatable({}, {__index = function(t, k) return redis.call('ECHO', k) end}))",
    /^-/,
  ],
  "an argument that is a table": ["return redis.call({})", /must be strings or integers/],
  // Escapes
  "bytecode": ["return {loadstring(string.dump(function() return 1 end))}", /^\*0/],
  "changed bytecode": ["return {loadstring('\\27Lua\\81\\0\\1\\4\\4\\4\\8\\0' .. string.rep('\\255', 100))}", /^\*0/],
  "the metatable of strings": ["getmetatable('').__index = function() return 'evil' end", /readonly table/],
  "the metatable of globals": ["getmetatable(_G).__index = nil", /readonly table/],
  "a new metatable of globals": ["setmetatable(_G, {__index = function() return 1 end})", /readonly table/],
  "a raw global": ["rawset(_G, 'x', 1)", /readonly table/],
  "a global through a table function": ["table.insert(_G, 1)", /readonly table/],
  "a library through sort": ["table.sort(string, function() return true end) string.format = nil", /readonly table/],
  "an environment": ["return getfenv(0)", /nonexistent global variable 'getfenv'/],
  "the debugger": ["return debug.getregistry()", /nonexistent global variable 'debug'/],
  "a proxy with a finalizer": ["return newproxy(true)", /nonexistent global variable 'newproxy'/],
  "files": ["return io.open('/etc/passwd')", /nonexistent global variable 'io'/],
  "programs": ["return os.execute('true')", /attempt to call field 'execute'/],
  "modules": ["return require('os')", /nonexistent global variable 'require'/],
  "a coroutine that outlives the script": [
    "local c = coroutine.create(function() while true do coroutine.yield() end end) coroutine.resume(c) return 'left'",
    /left/,
  ],
  "a string that is no number": ["return 'x' + 1", /attempt to perform arithmetic/],
  "a for loop that counts to infinity and stops": ["for i = 1, 1/0 do if i > 100000 then return i end end", /:100001/],
  "the error handler of the server": [
    "return __redis__err__handler(setmetatable({}, {__newindex = function() error('x') end}))",
    /^-/,
  ],
};

const HEALTHY = /^\*13\r\n\$1\r\n5\r\n:0\r\n\$3\r\nnil\r\n\$3\r\n\[1\]\r\n\$1\r\nv\r\n/;

async function attack(client: TestClient, { server }: TestServer): Promise<void> {
  await client.run("SET k v");
  const scripts = server.engine.part(Scripts);
  const wrong: string[] = [];
  for (const [name, [script, expected]] of Object.entries(HOSTILE)) {
    const reply = await client.command("EVAL", script, "0");
    if (!expected.test(reply)) wrong.push(`${name}: ${reply.slice(0, 300)}`);
    const after = await client.command("EVAL", PROBE, "0");
    if (!HEALTHY.test(after)) wrong.push(`after ${name}: ${after.slice(0, 300)}`);
    if (scripts.usedBytes >= REST_BYTES) wrong.push(`${name} leaves ${scripts.usedBytes} bytes`);
  }
  assertEquals(wrong, []);
  assertEquals(await client.run("DBSIZE"), ":1\r\n");
}

Deno.test("hostile scripts hurt nobody", () => withServer(attack, { settings: { "lua-memory-limit": LIMIT } }));
