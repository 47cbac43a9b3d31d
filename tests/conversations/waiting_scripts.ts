/**
 * Conversations about WAIT and WAITAOF in which MemDB and the released servers must agree, step by step.
 */
import type { Scripts } from "./scripts.ts";

/** Without an append-only file. */
export const WAIT_SCRIPTS: Scripts = {
  "replicas that are not asked for": [
    ["a", "SET k 1", "WAIT 0 0", "WAIT -1 0", "WAIT -9223372036854775808 10", "WAITAOF 0 0 0", "PING"],
  ],
  "a client waits for replicas, and its pipeline with it": [
    ["a", "SET k 1", "WAIT 1 0", "PING"],
    ["b", "WAIT 2 9223372036854", "PING"],
    ["c", "WAITAOF 0 1 0", "PING"],
    ["x", "INFO nothing", "SET k 2"],
    ["a"],
    ["x", "GET k"],
  ],
  "within a transaction nobody waits": [
    ["a", "MULTI", "SET k 1", "WAIT 1 0", "WAITAOF 0 1 0", "WAITAOF 1 0 0", "WAIT x 0", "EXEC", "PING"],
    ["a", "HELLO 3"],
    ["a", "MULTI", "WAIT 5 100", "WAITAOF 0 5 100", "EXEC"],
  ],
  "wrong arguments": [
    ["a", "WAIT", "WAIT 1", "WAIT 1 2 3", "WAITAOF 1 1", "WAITAOF 1 1 1 1"],
    ["a", "WAIT x 0", "WAIT 1 x", "WAIT 1 1.5", "WAIT 1 -1", "WAIT x -1", "WAIT 9223372036854775808 0"],
    ["a", "WAIT 2 9223372036854775808", "WAIT 2 9223372036854775807", "WAIT 0 -1", "WAIT 0 x"],
    ["a", "WAITAOF 2 0 0", "WAITAOF -1 0 0", "WAITAOF x 0 0", "WAITAOF 0 -1 0", "WAITAOF 0 x 0", "WAITAOF 0 0 -1"],
    ["a", "WAITAOF 0 0 x", "WAITAOF 1 0 -1", "WAITAOF 9223372036854775808 0 0", "WAITAOF 0 9223372036854775808 0"],
  ],
  "a file that is not kept": [
    ["a", "WAITAOF 1 0 0", "WAITAOF 1 1 1", "SET k v", "WAITAOF 1 0 0", "WAITAOF 0 0 0"],
  ],
};

/** With an append-only file under `always`. */
export const WAITAOF_SCRIPTS: Scripts = {
  "under always all that is acknowledged is safe": [
    ["a", "WAITAOF 1 0 0"],
    ["a", "SET k 1"],
    ["a", "WAITAOF 1 0 0", "WAITAOF 0 0 0"],
    ["a", "SET k 2", "WAITAOF 1 0 0", "SET k 3", "WAITAOF 1 0 0", "GET k"],
    ["a", "MULTI", "SET k 4", "WAITAOF 1 0 0", "EXEC", "WAITAOF 1 0 0"],
    ["a", "WAITAOF 1 1 0"],
    ["a"],
  ],
  "under no a client waits, unless it wrote nothing": [
    ["x", "CONFIG SET appendfsync no"],
    ["a", "SET k 1"],
    ["a", "WAITAOF 1 0 0", "PING"],
    ["b", "GET k", "WAITAOF 1 0 0"],
    ["b", "MULTI", "SET k 2", "WAITAOF 1 0 0", "EXEC"],
    ["c", "SET k 3", "WAITAOF 0 0 0", "WAITAOF 1 0 0"],
    ["x", "CONFIG SET appendfsync always"],
    ["x", "PING"],
  ],
  "a file that is given up": [
    ["x", "CONFIG SET appendfsync no"],
    ["a", "SET k 1"],
    ["a", "WAITAOF 1 0 0", "PING"],
    ["b", "WAITAOF 0 1 0"],
    ["x", "CONFIG SET appendonly no"],
    ["a", "WAITAOF 1 0 0"],
    ["b"],
  ],
};
