/**
 * Conversations about MONITOR, SLOWLOG and COMMANDLOG in which MemDB and the released servers must agree, step by step.
 */
import type { Scripts } from "./scripts.ts";

const LIBRARY =
  "FUNCTION LOAD #!lua\tname=l\nredis.register_function('f',function(keys)return(redis.call('set',keys[1],1))end)";
const CALLING = [
  "EVAL return(redis.call('set','k','v')) 0",
  "EVAL redis.pcall('nope')redis.pcall('get')return(redis.pcall('incr','k')) 0",
  "EVAL redis.call('select',3)return(redis.call('get','k')) 1 k",
  "EVAL_RO return(redis.pcall('set','k','w')) 0",
  "FCALL f 1 k",
  "FCALL_RO f 1 k",
];

export const MONITOR_SCRIPTS: Scripts = {
  "each command is shown once, those that fail included": [
    ["m", "MONITOR", "MONITOR"],
    ["a", "ECHO a", "SET k v", "LPUSH k 1", "INCR k", "nothing x", "GET", "SELECT 3", "GET k", "CLIENT SETNAME me"],
    [
      "a",
      "CONFIG GET port",
      "CLIENT LIST TYPE pubsub",
      "DEBUG SLEEP 0",
      "SLOWLOG RESET",
      "COMMAND GETKEYS GET k",
      "ECHO x",
    ],
    ["m", "PING", "ECHO x"],
    ["a", "SUBSCRIBE c", "UNSUBSCRIBE c", "PUBLISH c m", "RESET"],
    ["m", "RESET", "ECHO x"],
    ["a", "PING"],
  ],
  "several monitors, and one that speaks RESP3": [
    ["m", "HELLO 3"],
    ["m", "MONITOR"],
    ["n", "MONITOR"],
    ["a", "SET k v"],
    ["n"],
    ["a", "GET k"],
  ],
  "secrets are not shown": [
    ["m", "MONITOR"],
    ["a", "CLIENT REPLY OFF"],
    ["a", "AUTH secret", "AUTH default secret", "AUTH a b c", "HELLO 3 AUTH default secret", "HELLO 2 SETNAME x"],
    ["a", "HELLO 2 AUTH nobody secret SETNAME x", "HELLO 9 AUTH default secret"],
  ],
  "a transaction is shown when it runs": [
    ["m", "MONITOR"],
    ["a", "MULTI", "SET k 1", "LPUSH k 2", "GET k", "CLIENT GETNAME"],
    ["a", "EXEC"],
    ["a", "MULTI", "SET k 2", "DISCARD"],
    ["a", "MULTI", "NOTHING x", "SET k 3", "EXEC", "EXEC", "WATCH k", "UNWATCH"],
    ["b", "WATCH k"],
    ["a", "SET k 9"],
    ["b", "MULTI", "GET k", "EXEC"],
  ],
  "a command that waits is shown when it begins to wait": [
    ["m", "MONITOR"],
    ["a", "BLPOP k 0", "ECHO x"],
    ["b", "BLMOVE k l LEFT LEFT 0"],
    ["c", "BZPOPMIN z 0"],
    ["d", "WAIT 1 0", "ECHO x"],
    ["x", "RPUSH k 1"],
    ["x", "MULTI", "RPUSH k 2", "ZADD z 1 m", "EXEC"],
    ["c", "BLPOP k 0", "ECHO x"],
    ["c"],
    ["d"],
    ["x", "RPUSH k 3"],
  ],
  "a held request is shown when it runs": [
    ["m", "MONITOR"],
    ["x", "CLIENT PAUSE 100000 WRITE"],
    ["a", "SET k v", "GET k"],
    ["x", "CLIENT UNPAUSE"],
  ],
};

/** What the slow log holds, with a threshold of 0: which commands, and in which order. */
/** In Valkey what a script calls has the address of its client. */
export const SLOWLOG_OF_REDIS_SCRIPTS: Scripts = {
  "scripts and what they call": [
    ["x", LIBRARY, "CONFIG SET slowlog-log-slower-than 0", "SLOWLOG RESET"],
    ["a", ...CALLING],
    ["x", "SLOWLOG GET 128", "SLOWLOG RESET"],
    ["a", "MULTI", ...CALLING.slice(0, 3), "FCALL f 1 k", "EXEC"],
    ["x", "SLOWLOG GET 128", "CONFIG SET slowlog-log-slower-than 10000"],
  ],
};

export const SLOWLOG_SCRIPTS: Scripts = {
  "commands that waited, were served, failed or ended are logged once": [
    ["x", "CONFIG SET slowlog-log-slower-than 0", "SLOWLOG RESET"],
    ["a", "CLIENT SETNAME me", "BLPOP k 0", "ECHO x"],
    ["b", "BLMOVE k l LEFT LEFT 0"],
    ["c", "BZPOPMIN z 0"],
    ["c"],
    ["x", "RPUSH k 1", "SLOWLOG GET -1"],
    ["x", "SLOWLOG RESET"],
    ["x", "RPUSH k 1", "SLOWLOG GET -1"],
    ["x", "SLOWLOG RESET"],
    ["x", "MULTI", "SET k v", "LPUSH k 1", "EXEC", "nothing x", "GET", "SLOWLOG GET -1", "SLOWLOG RESET"],
    ["a", "AUTH a b"],
    ["a", "HELLO 2 AUTH a b"],
    ["a", "PING x"],
    ["x", "SLOWLOG GET -1", "CONFIG SET slowlog-log-slower-than 10000", "SLOWLOG RESET"],
  ],
};

/** Of Valkey alone. */
const SHA = "4177b9f03a279722f8242b11a78885211e494dcd";

/** The source of scripts that the server knows. */
export const SCRIPT_SHOW_SCRIPTS: Scripts = {
  "the source of a script": [
    ["a", `SCRIPT SHOW ${SHA}`, "SCRIPT SHOW", "SCRIPT SHOW a b", "SCRIPT SHOW short", "COMMAND INFO script|show"],
    ["a", "SCRIPT LOAD return(5)", `SCRIPT SHOW ${SHA}`, `SCRIPT SHOW ${SHA.toUpperCase()}`, "EVAL return(6) 0"],
    ["b", `SCRIPT SHOW ${SHA}`, "MULTI", `SCRIPT SHOW ${SHA}`, "EXEC", "SCRIPT FLUSH", `SCRIPT SHOW ${SHA}`],
  ],
};

export const COMMANDLOG_SCRIPTS: Scripts = {
  "arguments": [
    ["a", "COMMANDLOG", "COMMANDLOG NOPE", "COMMANDLOG GET", "COMMANDLOG GET 1", "COMMANDLOG GET 1 slow x"],
    ["a", "COMMANDLOG GET 1 x", "COMMANDLOG GET x slow", "COMMANDLOG GET -2 x", "COMMANDLOG GET 0 LARGE-Reply"],
    ["a", "COMMANDLOG LEN", "COMMANDLOG LEN x", "COMMANDLOG LEN slow x", "COMMANDLOG RESET", "COMMANDLOG RESET x"],
    ["a", "COMMANDLOG RESET slow", "COMMANDLOG LEN large-request", "COMMANDLOG RESET large-reply", "COMMANDLOG HELP x"],
  ],
  "descriptions": [
    ["a", "COMMAND INFO commandlog|get commandlog|help commandlog|len commandlog|reset"],
  ],
  "settings": [
    ["a", "CONFIG GET commandlog-request-larger-than", "CONFIG GET commandlog-large-request-max-len"],
    ["a", "CONFIG GET commandlog-reply-larger-than", "CONFIG GET commandlog-large-reply-max-len"],
    ["a", "CONFIG GET commandlog-execution-slower-than", "CONFIG GET commandlog-slow-execution-max-len"],
    ["a", "CONFIG SET commandlog-reply-larger-than -2", "CONFIG SET commandlog-reply-larger-than 1mb"],
    ["a", "CONFIG SET commandlog-large-reply-max-len -1", "CONFIG SET commandlog-large-request-max-len x"],
    ["a", "CONFIG SET commandlog-execution-slower-than 7", "CONFIG GET slowlog-log-slower-than"],
    ["a", "CONFIG SET slowlog-log-slower-than 10000", "CONFIG GET commandlog-execution-slower-than"],
  ],
  "large requests and replies": [
    ["x", "CONFIG SET commandlog-request-larger-than 40 commandlog-reply-larger-than 20"],
    ["x", "COMMANDLOG RESET large-request", "COMMANDLOG RESET large-reply"],
    ["a", "CLIENT SETNAME me", "SET k 0123456789", "SET key 0123456789", "SET key 01234567890", "GET k", "GET key"],
    ["a", "ECHO 0123456789abc", "ECHO 0123456789abcd", "ECHO 01234567890123456789", "LPUSH k aaaaaaaaaaaaaaaaaaaaaaa"],
    ["a", "nothing aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "GET a b c d e f g h i j", "MGET k k k k k k k k"],
    ["b", "BLPOP list-of-a-name-that-is-long-enough 0"],
    ["x", "RPUSH list-of-a-name-that-is-long-enough an-element-that-is-long-enough"],
    ["a", "CLIENT REPLY OFF", "MGET k k k k k"],
    ["x", "COMMANDLOG GET -1 large-reply"],
    ["x", "COMMANDLOG GET -1 large-request"],
    ["x", "CONFIG SET commandlog-large-reply-max-len 2"],
    ["x", "GET key", "GET key", "GET key", "COMMANDLOG LEN large-reply", "COMMANDLOG RESET large-reply"],
    ["x", "CONFIG SET commandlog-large-reply-max-len 128 commandlog-request-larger-than 1048576"],
    ["x", "CONFIG SET commandlog-reply-larger-than 1048576"],
  ],
};

export const REPLY_SCRIPTS: Scripts = {
  "off and on": [
    ["a", "CLIENT REPLY OFF", "PING", "nothing x", "GET", "CLIENT REPLY ON", "PING"],
    ["a", "CLIENT REPLY OFF", "MULTI", "ECHO 1", "EXEC", "MULTI", "nothing x", "EXEC", "EXEC", "CLIENT REPLY ON"],
  ],
  "skip drops one reply": [
    ["a", "CLIENT REPLY SKIP", "ECHO 1", "ECHO 2"],
    ["a", "CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "ECHO 1", "ECHO 2"],
    ["a", "CLIENT REPLY SKIP", "nothing x", "ECHO 2"],
    ["a", "CLIENT REPLY OFF", "CLIENT REPLY SKIP", "ECHO 1", "ECHO 2", "CLIENT REPLY ON"],
    ["a", "CLIENT REPLY MAYBE", "CLIENT REPLY", "CLIENT REPLY ON x"],
    ["a", "CLIENT REPLY SKIP", "RESET", "PING"],
    ["a", "CLIENT REPLY OFF", "RESET", "PING"],
  ],
  "pushes and messages come all the same": [
    ["a", "CLIENT REPLY OFF", "SUBSCRIBE c", "PSUBSCRIBE p*"],
    ["x", "PUBLISH c m", "PUBLISH p m"],
    ["a", "UNSUBSCRIBE", "PUNSUBSCRIBE", "PING", "CLIENT REPLY ON"],
    ["h", "HELLO 3"],
    ["h", "CLIENT REPLY OFF", "SUBSCRIBE c", "ECHO 1"],
    ["x", "PUBLISH c m"],
    ["h", "PUBLISH c own", "UNSUBSCRIBE", "CLIENT REPLY ON"],
    ["h", "CLIENT REPLY SKIP", "SUBSCRIBE c", "PING"],
    ["h", "CLIENT REPLY OFF", "MULTI", "SUBSCRIBE d", "PUBLISH c own", "ECHO 1", "EXEC", "CLIENT REPLY ON"],
  ],
  "a monitor without replies": [
    ["m", "MONITOR", "CLIENT REPLY OFF"],
    ["a", "ECHO 1"],
    ["m", "CLIENT REPLY ON"],
    ["a", "ECHO 2"],
  ],
  "clients that wait": [
    ["a", "CLIENT REPLY SKIP", "BLPOP k 0", "ECHO 1"],
    ["b", "CLIENT REPLY OFF", "BLPOP k 0", "CLIENT REPLY ON", "ECHO 1"],
    ["x", "RPUSH k 1 2"],
    ["c", "CLIENT REPLY SKIP", "WAIT 1 0", "ECHO 1"],
    ["c"],
  ],
};

export const REPLY_IN_UNIT_SCRIPTS: Scripts = {
  "off and on within a transaction hold for what follows": [
    ["a", "MULTI", "ECHO 1", "CLIENT REPLY OFF", "ECHO 2", "EXEC", "ECHO 3"],
    ["a", "CLIENT REPLY ON", "ECHO 4"],
    ["a", "CLIENT REPLY OFF", "MULTI", "ECHO 1", "CLIENT REPLY ON", "ECHO 2", "EXEC", "ECHO 3"],
    ["a", "MULTI", "CLIENT REPLY OFF", "ECHO 1", "CLIENT REPLY ON", "ECHO 2", "EXEC", "ECHO 3"],
    ["a", "MULTI", "CLIENT REPLY OFF", "LPUSH k", "EXEC", "CLIENT REPLY ON"],
    ["h", "HELLO 3"],
    ["h", "SUBSCRIBE c"],
    ["h", "MULTI", "ECHO 0", "CLIENT REPLY OFF", "SUBSCRIBE d", "PUBLISH c own", "ECHO 1", "EXEC"],
    ["h", "CLIENT REPLY ON"],
  ],
  "skip within a transaction holds for the command behind it": [
    ["a", "MULTI", "ECHO 1", "CLIENT REPLY SKIP", "ECHO 2", "ECHO 3", "EXEC", "ECHO 4", "ECHO 5"],
    ["a", "MULTI", "ECHO 1", "ECHO 2", "CLIENT REPLY SKIP", "EXEC", "ECHO 3", "ECHO 4"],
    ["a", "CLIENT REPLY SKIP", "MULTI", "CLIENT REPLY SKIP", "ECHO 1", "EXEC", "ECHO 2", "ECHO 3"],
    ["a", "MULTI", "ECHO 1", "CLIENT REPLY ON", "ECHO 2"],
    ["a", "CLIENT REPLY SKIP", "EXEC", "ECHO 3"],
  ],
};
