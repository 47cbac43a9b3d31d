/**
 * The versions of the RDB format that MemDB writes, and the choice among them. The default is the oldest one of the
 * personality that holds all of the data, so that as many servers as possible read the file.
 */
import type { Personality } from "../core/personality.ts";
import { Type } from "../store/keyspace.ts";
import type { Store } from "../store/store.ts";
import type { StreamValue } from "../store/values/streams/stream_value.ts";
import {
  VALKEY_VERSION_MIN,
  VERSION_FIELD_DEADLINES,
  VERSION_PRODUCERS,
  VERSION_STREAM_ACTIVE_TIME,
} from "./format.ts";

/** The oldest releases that read each version: Redis 7.0, Redis and Valkey 7.2, Redis 7.4, Redis 8.6, Valkey 9.0. */
export const WRITTEN_VERSIONS = ["10", "11", "12", "13", "80"] as const;

/** What a store has that not every version has room for. */
interface Needs {
  /** Deadlines of hash fields. */
  readonly deadlines: boolean;
  /** What streams know of producers and their messages. */
  readonly producers: boolean;
}

function needsOf(store: Store): Needs {
  return {
    deadlines: store.databases.some((db) => db.fieldExpiresSize > 0),
    producers: (store.valueType(Type.STREAM) as StreamValue).knowsMessages,
  };
}

/** The oldest version from `least` on that holds the data of a store. Valkey has none with producers of messages. */
export function oldestVersion(store: Store, personality: Personality, least: number): number {
  const { deadlines, producers } = needsOf(store);
  if (personality === "valkey") return deadlines ? VALKEY_VERSION_MIN : least;
  return producers ? VERSION_PRODUCERS : deadlines ? Math.max(least, VERSION_FIELD_DEADLINES) : least;
}

/** The version for snapshots: the one that the setting rdb-version names, or the oldest of the personality. */
export function snapshotVersion(store: Store, personality: Personality, setting: string): number {
  return setting === "auto" ? oldestVersion(store, personality, VERSION_STREAM_ACTIVE_TIME) : Number(setting);
}

/** The things of a store that files of a version do not hold, in words; empty if they hold all. */
export function lostIn(store: Store, version: number): string[] {
  const { deadlines, producers } = needsOf(store), lost: string[] = [];
  if (deadlines && version < VERSION_FIELD_DEADLINES) lost.push("deadlines of hash fields");
  if (producers && version !== VERSION_PRODUCERS) lost.push("what streams know of their producers");
  return lost;
}
