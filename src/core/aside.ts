/** Names for files that are set aside: "dump.rdb.kept-2026-01-31T12-00-00-000Z". */

/**
 * A name next to `path` that contains the reason and the time. `taken` tells whether a name exists; such a name is not
 * returned.
 */
export function asideName(path: string, why: string, nowMs: number, taken: (path: string) => boolean): string {
  const name = `${path}.${why}-${new Date(nowMs).toISOString().replace(/[:.]/g, "-")}`;
  let free = name;
  for (let i = 2; taken(free); i++) free = `${name}-${i}`;
  return free;
}
