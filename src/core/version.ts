/**
 * The versions in use: MemDB's own, which is defined only in deno.json, and the releases of Redis and Valkey with which
 * it is compatible.
 */
import project from "../../deno.json" with { type: "json" };

/** The version of MemDB. */
export const MEMDB_VERSION: string = project.version;

/** The compatible Redis release. Clients read it to decide which commands to use. */
export const REDIS_VERSION = "8.6.3";
export const VALKEY_VERSION = "9.1.2";
