/**
 * Conversations after which INFO must tell the same on MemDB and on the released servers.
 */
import type { Scripts } from "./scripts.ts";

const CLIENTS_AND_STATS = ["INFO clients", "INFO stats", "INFO errorstats", "INFO commandstats"];

export const INFO_SCRIPTS: Scripts = {
  "clients that wait, watch, listen and queue": [
    ["x", "CONFIG RESETSTAT"],
    ["a", "BLPOP k l 0"],
    ["b", "BLPOP k 1000"],
    ["c", "BZPOPMIN z 500"],
    ["d", "WAIT 1 0"],
    ["e", "WAIT 1 1000000"],
    ["f", "WATCH k l", "MULTI", "GET k", "SET s v"],
    ["g", "WATCH k"],
    ["h", "SUBSCRIBE c1 c2", "PSUBSCRIBE p*"],
    ["i", "SSUBSCRIBE s1"],
    ["j", "HELLO 3"],
    ["j", "SUBSCRIBE c1"],
    ["x", ...CLIENTS_AND_STATS],
    ["x", "RPUSH k v", "PUBLISH c1 m"],
    ["x", ...CLIENTS_AND_STATS],
    ["f", "EXEC"],
    ["g", "UNWATCH"],
    ["h"],
    ["i", "SUNSUBSCRIBE"],
    ["x", ...CLIENTS_AND_STATS],
    ["b"],
    ["c"],
    ["j", "RESET"],
    ["x", ...CLIENTS_AND_STATS],
  ],
  "commands that fail, are refused, or miss": [
    ["x", "CONFIG RESETSTAT"],
    ["a", "GET", "nothing x", "SET k v", "LPUSH k 1", "INCR k", "GET k", "GET none", "MGET k none", "SELECT 99"],
    ["a", "MULTI", "SET k 1", "GET", "EXEC", "MULTI", "SET k 1", "LPUSH k 1", "EXEC", "EXEC", "DISCARD"],
    ["a", "BLPOP k 0", "BLPOP none x", "CLIENT KILL ID 99999", "CLIENT NOPE", "WAITAOF 1 0 0", "XX YY"],
    ["b", "CLIENT REPLY OFF", "LPUSH k 1", "GET k", "CLIENT REPLY ON"],
    ["x", ...CLIENTS_AND_STATS],
    ["x", "CONFIG RESETSTAT", ...CLIENTS_AND_STATS],
  ],
};
