/**
 * Runs commands on both servers from an empty database, finds the first reply that differs, and reduces the run to the
 * commands that are needed for the difference.
 */
import { quote } from "../../src/cli/quoting.ts";
import { encodeRequest } from "../helpers/client.ts";
import { sameReplies, sameUnits } from "./compare.ts";
import type { Servers } from "./servers.ts";

export type Protocol = 2 | 3;

export interface Difference {
  /** The shortest run found; its last command has the different replies. */
  readonly commands: readonly string[][];
  readonly memdb: string;
  readonly oracle: string;
}

/** Commands that bring both servers to the same state before each run. */
const PROLOGUE = [["RESET"], ["FLUSHALL"], ["ACL", "DELUSER", "u"]];
/** Commands compared after each run: all data. */
const STREAMS = [..."abcdef"].map((name) => ["XINFO", "STREAM", `xst:${name}`, "FULL", "COUNT", "0"]);
const EPILOGUE = [["SELECT", "0"], ["DBSIZE"], ["DEBUG", "DIGEST"], ...STREAMS];

interface Found {
  readonly index: number;
  readonly memdb: string;
  readonly oracle: string;
}

async function run(servers: Servers, protocol: Protocol, commands: readonly string[][]): Promise<Found | undefined> {
  const before = [...PROLOGUE, ["HELLO", String(protocol)]];
  const { personality } = servers;
  const [memdb, oracle] = await servers.replies([...before, ...commands].map((words) => encodeRequest(words)));
  let queued: string[][] = [];
  for (const [index, words] of commands.entries()) {
    const i = before.length + index;
    const isUnit = words[0]?.toLowerCase() === "exec";
    const same = isUnit
      ? sameUnits(queued, memdb[i], oracle[i], personality)
      : sameReplies(words, memdb[i], oracle[i], personality);
    if (!same) return { index, memdb: memdb[i], oracle: oracle[i] };
    if (oracle[i] === "+QUEUED\r\n") queued.push(words);
    else if (isUnit || words[0]?.toLowerCase() === "discard") queued = [];
  }
}

/** The first difference between the two servers for these commands, undefined if there is none. */
export async function duel(
  servers: Servers,
  protocol: Protocol,
  commands: readonly string[][],
): Promise<Difference | undefined> {
  const all = [...commands, ...EPILOGUE];
  const first = await run(servers, protocol, all);
  if (first === undefined) return undefined;
  // Repeated once, because the clock may have ticked between the two servers.
  let found = await run(servers, protocol, all);
  if (found === undefined) return undefined;
  let shortest = all.slice(0, found.index + 1);
  for (let size = shortest.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at + size < shortest.length;) {
      const candidate = shortest.toSpliced(at, size);
      const again = await run(servers, protocol, candidate);
      if (again !== undefined) {
        shortest = candidate.slice(0, again.index + 1);
        found = again;
      } else at += size;
    }
  }
  return { commands: shortest, memdb: found.memdb, oracle: found.oracle };
}

/** A difference as text: the commands in redis-cli's notation, and the two replies. */
export function describe({ commands, memdb, oracle }: Difference, protocol: Protocol): string {
  const lines = commands.map((words) =>
    "  " + words.map((word) => /^[\w:*.-]+$/.test(word) ? word : quote(word)).join(" ")
  );
  return `RESP${protocol}\n${lines.join("\n")}\n  MemDB: ${JSON.stringify(memdb)}\n  Oracle: ${JSON.stringify(oracle)}`;
}
