/**
 * The versions in use: MemDB's own, which is defined only in deno.json, and the version of the Redis release with which
 * it is compatible.
 */
import project from "../../deno.json" with { type: "json" };

export const MEMDB_VERSION: string = project.version;

/** The compatible Redis release. Clients read it to decide which commands to use. */
export const REDIS_VERSION = "8.6.3";
