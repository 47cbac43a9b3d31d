/**
 * Which scripts are refused when memory is short, by the flags that they declare, and how their errors are counted: as
 * in Redis.
 */
import { differential, type Pair } from "../helpers/redis.ts";

const LIBRARY = `#!lua name=rules
redis.register_function('plain', function() return redis.call('SET', 'a', 'c') end)
local function reads() return redis.call('GET', 'a') end
local function sets() return redis.call('SET', 'a', 'd') end
redis.register_function{function_name = 'reads', callback = reads, flags = {'no-writes'}}
redis.register_function{function_name = 'oom', callback = sets, flags = {'allow-oom'}}`;

const WRITES = "return redis.call('SET', 'a', 'b')", READS = "return redis.call('GET', 'a')";
const LATE = "redis.call('DEL', 'none') return redis.call('SET', 'a', 'b')";

/** Sends commands to both servers. */
async function all(pair: Pair, commands: readonly (readonly string[])[]): Promise<void> {
  for (const words of commands) await pair.same(...words);
}

const calls = (script: string) => [["EVAL", script, "0"], ["EVAL_RO", script, "0"]];
const fcalls = (name: string) => [["FCALL", name, "0"], ["FCALL_RO", name, "0"]];
const unit = (commands: readonly (readonly string[])[]) => [["MULTI"], ...commands, ["EXEC"]];

differential("scripts follow the rules for short memory that their flags choose", async (pair) => {
  const declared = ["", " flags=allow-oom", " flags=no-writes", " flags=no-writes,allow-oom"].flatMap((flags) =>
    [WRITES, READS, LATE].map((script) => `#!lua${flags}\n${script}`)
  );
  const runs = [...[WRITES, READS, LATE, ...declared].flatMap(calls), ...["plain", "reads", "oom"].flatMap(fcalls)];
  await all(pair, [["FUNCTION", "LOAD", LIBRARY], ["SET", "big", "x".repeat(100_000)], [
    "CONFIG",
    "SET",
    "maxmemory",
    "1",
  ]]);
  await all(pair, runs);
  for (const run of runs) await all(pair, unit([run, ["PING"]]));
  await all(pair, [["CONFIG", "SET", "maxmemory", "0"], ...runs]);
  // The memory becomes short between the queueing and the run.
  for (const run of runs) {
    await all(pair, unit([["CONFIG", "SET", "maxmemory", "1"], run, ["CONFIG", "SET", "maxmemory", "0"]]));
  }
  await all(pair, [["SCRIPT", "LOAD", `#!lua\n${WRITES}`], ["CONFIG", "SET", "maxmemory", "1"]]);
  await all(pair, [["EVALSHA", "0000000000000000000000000000000000000000", "0"], ["FUNCTION", "FLUSH"]]);
  await all(pair, [["CONFIG", "SET", "maxmemory", "0"], ["DBSIZE"]]);
});

differential("errors of scripts are counted by their codes", async (pair) => {
  await pair.same("CONFIG", "RESETSTAT");
  for (const length of [1, 29, 30, 31, 32, 60]) {
    await pair.same("EVAL", `return {err = string.rep('x', ${length}) .. ' y'}`, "0");
  }
  for (const text of ["nospace", "a\\r\\nb", "a\\nb c", "", "-MY z"]) {
    await pair.same("EVAL", `return {err = '${text}'}`, "0");
    await pair.same("EVAL", `error({err = '${text}'})`, "0");
  }
  await pair.same("INFO", "errorstats");
});
