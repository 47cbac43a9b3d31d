/** Names for files that are put aside: "dump.rdb.kept-2026-01-31T12-00-00-000Z". */

/** A name beside `path` that says why and when. `taken` tells which names are there already: none of them is returned. */
export function asideName(path: string, why: string, nowMs: number, taken: (path: string) => boolean): string {
  const name = `${path}.${why}-${new Date(nowMs).toISOString().replace(/[:.]/g, "-")}`;
  let free = name;
  for (let i = 2; taken(free); i++) free = `${name}-${i}`;
  return free;
}
