/**
 * Conversations with scripts and functions: what other clients hear of them. The scripts have no spaces, which separate
 * the words of a step.
 */
import type { Scripts } from "./scripts.ts";

const PUSH_TWICE = "redis.call('rpush','k','1')return(redis.call('rpush','k','2'))";
const SET = "return(redis.call('set',KEYS[1],ARGV[1]))";
const FAIL = "redis.call('set','w','1')return({err='X'})";
const LIBRARY = "#!lua\tname=lib\nredis.register_function('put',function(k,a)return(redis.call('set',k[1],a[1]))end)";

export const LUA_SCRIPTS: Scripts = {
  "a script wakes waiting clients when it has ended": [
    ["a", "BLPOP k 0"],
    ["b", "BRPOP k 0"],
    ["x", `EVAL ${PUSH_TWICE} 0`],
    ["x", "LLEN k"],
  ],
  "within a script nobody waits": [
    ["x", "EVAL return(redis.call('blpop','none',0)) 0"],
    ["x", "EVAL return(redis.call('bzpopmin','none',0)) 0"],
  ],
  "a script breaks the transactions of those who watch, and its own does not": [
    ["a", "WATCH k"],
    ["x", `EVAL ${SET} 1 k v`],
    ["a", "MULTI", "GET k", "EXEC"],
    ["a", "WATCH k"],
    ["x", "EVAL return(redis.call('get',KEYS[1])) 1 k"],
    ["a", "MULTI", "GET k", "EXEC"],
    ["a", "WATCH w"],
    ["x", `EVAL ${FAIL} 0`],
    ["a", "MULTI", "GET w", "EXEC"],
  ],
  "messages of a script come once each, in order": [
    ["a", "SUBSCRIBE c"],
    ["x", "EVAL redis.call('publish','c','1')return(redis.call('publish','c','2')) 0"],
  ],
  "a script that publishes to its own client": [
    ["a", "HELLO 3"],
    ["a", "SUBSCRIBE c"],
    ["a", "EVAL return(redis.call('publish','c','m')) 0"],
  ],
  "keyspace events of a script": [
    ["a", "CONFIG SET notify-keyspace-events KEA"],
    ["a", "PSUBSCRIBE __key*"],
    ["x", `EVAL ${SET} 1 text v`],
    ["x", `EVAL ${PUSH_TWICE} 0`],
  ],
  "a pause of writes holds scripts back, unless they declare that they do not write": [
    ["x", "SET k v"],
    ["x", "CLIENT PAUSE 100000 WRITE"],
    ["a", "EVAL #!lua\tflags=no-writes\nreturn(redis.call('get','k')) 0"],
    ["a", "EVAL_RO return(redis.call('get','k')) 0"],
    ["a", "MULTI", "EVAL #!lua\tflags=no-writes\nreturn(1) 0", "EXEC"],
    ["b", "EVAL return(1) 0"],
    ["x", "CLIENT UNPAUSE"],
  ],
  "functions within transactions": [
    ["x", `FUNCTION LOAD ${LIBRARY}`],
    ["a", "WATCH k"],
    ["x", "MULTI", "FCALL put 1 k v", "FCALL nope 0", "EXEC"],
    ["a", "MULTI", "GET k", "EXEC"],
    ["x", "FUNCTION FLUSH"],
  ],
  "a client without replies runs scripts": [
    ["a", "CLIENT REPLY OFF", `EVAL ${SET} 1 k v`, "EVAL error('x') 0", "CLIENT REPLY ON"],
    ["a", "GET k"],
  ],
};
