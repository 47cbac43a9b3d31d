/**
 * Conversations in which MemDB and the released servers must agree, step by step. A step is a client and the commands
 * that it sends as one pipeline. A step without commands closes the client's connection.
 */
import type { Step } from "./conversation.ts";
import { COMMANDLOG_SCRIPTS } from "./observing_scripts.ts";
import { PUBSUB_SCRIPTS } from "./pubsub_scripts.ts";
import { WAIT_SCRIPTS } from "./waiting_scripts.ts";
import { TRACKING_SCRIPTS } from "./tracking_scripts.ts";
import { NEW_STREAM_SCRIPTS, STREAM_SCRIPTS } from "./stream_scripts.ts";

/** Grouped by topic. */
export type Scripts = Readonly<Record<string, readonly Step[]>>;

export const BLOCKING_SCRIPTS: Scripts = {
  "first come, first served": [
    ["a", "BLPOP k 0"],
    ["b", "BRPOP k 0"],
    ["c", "BLMPOP 0 1 k LEFT COUNT 2"],
    ["x", "RPUSH k 1 2 3 4 5"],
    ["x", "LRANGE k 0 -1"],
  ],
  "several keys, and the same key twice": [
    ["a", "BLPOP k k l 0"],
    ["b", "BLPOP l k 0"],
    ["x", "RPUSH l 1"],
    ["x", "RPUSH k 2 3"],
    ["x", "LLEN k"],
  ],
  "a pipeline behind a command that waits runs when it is served": [
    ["a", "SET s 1", "BLPOP k 0", "INCR s", "BLPOP k 0", "INCR s"],
    ["x", "GET s"],
    ["x", "RPUSH k one"],
    ["x", "GET s"],
    ["x", "RPUSH k two", "GET s"],
    ["a", "GET s"],
  ],
  "within a transaction nobody waits, and it serves when it ends": [
    [
      "a",
      "MULTI",
      "BLPOP k 0",
      "BLMOVE k l LEFT LEFT 0",
      "BZPOPMIN z 0",
      "BLMPOP 0 1 k LEFT",
      "BRPOPLPUSH k l 0",
      "EXEC",
    ],
    ["b", "BLPOP k 0"],
    ["x", "MULTI", "RPUSH k 1", "DEL k", "EXEC"],
    ["x", "MULTI", "RPUSH k 2", "LPUSH k 3", "EXEC"],
  ],
  "chains of moves wake each other": [
    ["a", "BLMOVE k l LEFT RIGHT 0"],
    ["b", "BLMOVE l m LEFT RIGHT 0"],
    ["c", "BRPOPLPUSH m k 0"],
    ["d", "BLPOP k 0"],
    ["x", "RPUSH k 1"],
    ["x", "RPUSH k 2"],
    ["x", "EXISTS k l m"],
  ],
  "keys that come by other commands": [
    ["a", "BLPOP k 0"],
    ["x", "RPUSH other 1", "RENAME other k"],
    ["a", "BLPOP k 0"],
    ["x", "RPUSH other 2", "COPY other k"],
    ["a", "BLPOP k 0"],
    ["x", "SORT other STORE k"],
    ["a", "BLPOP k 0"],
    ["x", "SELECT 1", "RPUSH k 4", "MOVE k 0", "SELECT 0"],
    ["a", "BLPOP k 0"],
    ["x", "LMOVE other k LEFT LEFT"],
    ["a", "SELECT 1", "BLPOP k 0"],
    ["x", "RPUSH k 5"],
    ["x", "SWAPDB 0 1"],
    ["b", "BLPOP k 0"],
    ["x", "SWAPDB 0 1"],
    ["x", "FLUSHALL"],
  ],
  "values of another type do not end the wait": [
    ["a", "BLPOP k 0"],
    ["b", "BZPOPMIN k 0"],
    ["x", "SET k v"],
    ["c", "BLPOP k 0"],
    ["x", "DEL k", "SADD k m", "DEL k"],
    ["x", "MULTI", "RPUSH k 1", "DEL k", "ZADD k 1 m", "EXEC"],
    ["x", "RPUSH k 1"],
    ["x", "DEL k", "RPUSH k 2"],
  ],
  "the target of a move may have another type when its time comes": [
    ["a", "BLMOVE k s LEFT LEFT 0"],
    ["x", "SET s v"],
    ["x", "RPUSH k 1"],
    ["x", "LRANGE k 0 -1"],
  ],
  "sorted sets": [
    ["a", "BZPOPMIN z y 0"],
    ["b", "BZPOPMAX z 0"],
    ["c", "BZMPOP 0 2 y z MAX COUNT 2"],
    ["x", "ZADD z 1 one 2 two 3 three 4 four"],
    ["x", "ZRANGE z 0 -1"],
    ["h", "HELLO 3"],
    ["h", "BZPOPMIN q 0"],
    ["x", "ZADD q 1.5 m"],
    ["h", "BZMPOP 0 1 q MIN"],
    ["x", "GEOADD q 13 38 p"],
    ["h", "BZPOPMAX q 0"],
    ["x", "ZUNIONSTORE q 2 z none"],
  ],
  "wrong arguments": [
    ["a", "BLPOP k -1", "BLPOP k x", "BLPOP k", "BLPOP k 9223372036854775807", "BLPOP k inf", "BLPOP k nan"],
    [
      "a",
      "BLMOVE a b LEFT UP 0",
      "BLMOVE a b LEFT RIGHT -1",
      "BLMPOP 0 0 k LEFT",
      "BLMPOP 0 1 k UP",
      "BLMPOP x 1 k LEFT",
    ],
    [
      "a",
      "BLMPOP 0 1 k LEFT COUNT 0",
      "BLMPOP 0 1 k LEFT COUNT 1 COUNT 1",
      "BZMPOP 0 1 k MIN COUNT x",
      "BZMPOP 0 a k MIN",
    ],
    ["a", "SET s v", "BLPOP s 0", "BZPOPMIN k s 0", "BLMOVE s k LEFT LEFT 0", "BRPOPLPUSH s k 0", "BLMPOP 0 1 s LEFT"],
    ["a", "BZMPOP 0 1 s MIN", "BZPOPMAX s x"],
  ],
  "CLIENT UNBLOCK answers as for a timeout, or with an error": [
    ["a", "CLIENT SETNAME waiting", "BLPOP k 0"],
    ["x", "CLIENT UNBLOCK 999999", "CLIENT UNBLOCK x", "CLIENT UNBLOCK 1 MAYBE"],
  ],
  "a pause holds requests back, and lets them go on in their order": [
    ["x", "SET k 1", "CLIENT PAUSE 100000 WRITE"],
    ["a", "GET k", "INCR k", "GET k", "RPUSH l 1"],
    ["b", "PING", "MULTI", "INCR k", "EXEC"],
    ["c", "MULTI", "GET k", "EXEC", "INCR k extra", "PFCOUNT k", "PING"],
    ["x", "CLIENT UNPAUSE", "GET k"],
    ["a", "CLIENT PAUSE 100000 WRITE"],
    ["x", "CLIENT PAUSE", "CLIENT PAUSE -1", "CLIENT PAUSE x", "CLIENT PAUSE 1 NONE"],
    ["x", "CLIENT UNPAUSE", "CLIENT UNPAUSE 1"],
    ["d", "BLPOP q 0"],
    ["x", "MULTI", "RPUSH q 1", "CLIENT PAUSE 100000 WRITE", "EXEC"],
    ["x", "LLEN q", "CLIENT UNPAUSE"],
  ],
  "disconnected clients are forgotten": [
    ["a", "BLPOP k 0"],
    ["b", "BLPOP k 0"],
    ["a"],
    ["x", "RPUSH k 1"],
    ["x", "EXISTS k"],
  ],
  "CLIENT REPLY holds for what is answered later": [
    ["a", "CLIENT REPLY SKIP", "BLPOP k 0", "PING"],
    ["x", "RPUSH k 1"],
    ["a", "CLIENT REPLY OFF", "BLPOP k 0"],
    ["x", "RPUSH k 1"],
    ["a", "CLIENT REPLY ON"],
  ],
};

const ALL_EVENTS = "CONFIG SET notify-keyspace-events KEAmnoc";

/** What a subscriber of all channels hears of each kind of event. */
export const NOTIFICATION_SCRIPTS: Scripts = {
  "strings and keys": [
    ["x", ALL_EVENTS],
    ["s", "PSUBSCRIBE *"],
    [
      "x",
      "SET a 1",
      "SET a 2",
      "GET none",
      "INCR a",
      "APPEND a x",
      "SETRANGE a 0 y",
      "GETDEL a",
      "MSET a 1 b 2",
      "MSETNX c 3",
    ],
    ["x", "SET a 1 EX 100", "GETEX a PERSIST", "EXPIRE a 100", "PERSIST a", "PEXPIREAT a 1", "SETNX a 1", "GETSET a 2"],
    [
      "x",
      "RENAME a b",
      "COPY b c",
      "COPY b c REPLACE",
      "MOVE b 1",
      "DEL c",
      "UNLINK c",
      "SETBIT k 1 1",
      "BITOP NOT k2 k",
    ],
    [
      "x",
      "BITOP NOT k2 k",
      "PFADD p a b",
      "PFMERGE q p",
      "BITFIELD k SET u8 0 1",
      "TYPE none",
      "EXISTS none",
      "TTL none",
    ],
  ],
  "collections": [
    ["x", ALL_EVENTS],
    ["s", "PSUBSCRIBE *"],
    [
      "x",
      "RPUSH l 3 1 2",
      "LPUSH l 0",
      "LSET l 0 9",
      "LINSERT l BEFORE 9 8",
      "LTRIM l 0 3",
      "LREM l 0 8",
      "LPOP l",
      "RPOP l",
    ],
    [
      "x",
      "SORT l STORE m",
      "SORT l STORE m",
      "LMOVE l m LEFT RIGHT",
      "RPOPLPUSH m n",
      "LMPOP 1 m LEFT COUNT 9",
      "SET n v",
      "DEL n",
    ],
    [
      "x",
      "SADD s a b",
      "SADD t b",
      "SREM s a",
      "SMOVE s t b",
      "SINTERSTORE d t t",
      "SUNIONSTORE d t",
      "SDIFFSTORE d t t",
      "SPOP t",
    ],
    [
      "x",
      "HSET h f 1",
      "HINCRBY h f 2",
      "HINCRBYFLOAT h f 1",
      "HSETNX h g 1",
      "HPEXPIRE h 100000 FIELDS 1 f",
      "HPERSIST h FIELDS 1 f",
    ],
    [
      "x",
      "HDEL h f g",
      "ZADD z 1 a",
      "ZINCRBY z 1 a",
      "ZUNIONSTORE y 1 z",
      "ZUNIONSTORE y 1 z",
      "ZPOPMIN z",
      "ZREM y a",
      "ZADD y 1 a",
    ],
    [
      "x",
      "ZREMRANGEBYSCORE y 0 9",
      "GEOADD g 13 38 p",
      "GEOSEARCHSTORE y g FROMLONLAT 13 38 BYRADIUS 10 km",
      "SET y v",
    ],
    ["x", "MULTI", "RPUSH l 1", "LPOP l", "EXEC", "FLUSHALL"],
  ],
  "those who wait": [
    ["x", ALL_EVENTS],
    ["s", "PSUBSCRIBE __key*"],
    ["a", "BLPOP l 0"],
    ["x", "RPUSH l 1"],
    ["a", "BLMOVE l m LEFT LEFT 0"],
    ["x", "RPUSH l 1"],
    ["a", "BZPOPMIN z 0"],
    ["x", "ZADD z 1 a"],
  ],
  "only what the setting names": [
    ["x", "CONFIG SET notify-keyspace-events Kl"],
    ["s", "PSUBSCRIBE *"],
    ["x", "SET a 1", "RPUSH l 1", "CONFIG SET notify-keyspace-events E$", "RPUSH l 1", "SET a 1"],
    ["x", "CONFIG SET notify-keyspace-events A", "SET a 1", "CONFIG GET notify-keyspace-events"],
    ["x", "CONFIG SET notify-keyspace-events KEAnocm", "CONFIG GET notify-keyspace-events"],
    [
      "x",
      "CONFIG SET notify-keyspace-events q",
      "CONFIG SET notify-keyspace-events noK",
      "CONFIG GET notify-keyspace-events",
    ],
    ["x", "CONFIG SET notify-keyspace-events", "SET a 1"],
  ],
};

/** Every command of every script, as words. */
export function scriptedCommands(): string[][] {
  return [
    BLOCKING_SCRIPTS,
    COMMANDLOG_SCRIPTS,
    NOTIFICATION_SCRIPTS,
    NEW_STREAM_SCRIPTS,
    PUBSUB_SCRIPTS,
    STREAM_SCRIPTS,
    TRACKING_SCRIPTS,
    WAIT_SCRIPTS,
  ]
    .flatMap((scripts) => Object.values(scripts).flat())
    .flatMap(([, ...commands]) => commands.map((command) => command.split(" ")));
}
