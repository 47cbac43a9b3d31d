/**
 * The units of the suite, and those that MemDB does not run because all of their tests need missing features.
 */
import { join } from "node:path";

const FOLDERS = ["unit/type", "unit", "integration"];

/** Units that run only if they are named, with the reason. A name that ends in "/" stands for a folder. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "unit/moduleapi/": "needs modules, which MemDB does not load",
  "unit/cluster/": "needs cluster mode",
  "unit/tls": "needs a build with TLS and its certificates",
  "integration/block-repl": "needs replication",
  "integration/failover": "needs replication",
  "integration/psync2": "needs replication",
  "integration/psync2-master-restart": "needs replication",
  "integration/psync2-pingoff": "needs replication",
  "integration/psync2-reg": "needs replication",
  "integration/replication": "needs replication",
  "integration/replication-2": "needs replication",
  "integration/replication-3": "needs replication",
  "integration/replication-4": "needs replication",
  "integration/replication-buffer": "needs replication",
  "integration/replication-iothreads": "needs replication",
  "integration/replication-psync": "needs replication",
  "integration/replication-rdbchannel": "needs replication",
  "unit/wait": "needs replication",
};

export interface Units {
  readonly run: readonly string[];
  readonly leftOut: readonly { readonly unit: string; readonly reason: string }[];
}

/** Units of the source; named units run in any case. Throws an error for an unknown unit. */
export function chooseUnits(source: string, named: readonly string[]): Units {
  const all = FOLDERS.flatMap((folder) =>
    [...Deno.readDirSync(join(source, "tests", folder))]
      .filter(({ name }) => name.endsWith(".tcl"))
      .map(({ name }) => `${folder}/${name.slice(0, -".tcl".length)}`)
      .sort()
  );
  const chosen = named.map((name) => findUnit(name, all));
  if (chosen.length > 0) return { run: chosen, leftOut: [] };
  const leftOut = Object.entries(LEFT_OUT).filter(([unit]) => unit.endsWith("/") || all.includes(unit))
    .map(([unit, reason]) => ({ unit, reason }));
  return { run: all.filter((unit) => LEFT_OUT[unit] === undefined), leftOut };
}

/** "incr" and "type/incr" stand for unit/type/incr. */
function findUnit(name: string, all: readonly string[]): string {
  const found = all.filter((unit) => unit === name || unit.endsWith(`/${name}`));
  if (found.length !== 1) {
    throw new Error(found.length === 0 ? `no unit is called ${name}` : `${name} can be ${found.join(" or ")}`);
  }
  return found[0];
}
