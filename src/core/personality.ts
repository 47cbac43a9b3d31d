/**
 * The personalities: MemDB answers as one of the two released servers. The setting of that name chooses one at the
 * start. What both servers can accept without ambiguity is accepted under both personalities.
 */
import { REDIS_VERSION, VALKEY_VERSION } from "./version.ts";

export const PERSONALITIES = ["redis", "valkey"] as const;
export type Personality = typeof PERSONALITIES[number];

/** How a server names itself. */
export interface Identity {
  readonly personality: Personality;
  /** In sentences. */
  readonly title: string;
  readonly version: string;
  /** The release of Redis that INFO and snapshots name. */
  readonly redisVersion: string;
}

export const identities: Readonly<Record<Personality, Identity>> = {
  redis: { personality: "redis", title: "Redis", version: REDIS_VERSION, redisVersion: REDIS_VERSION },
  // The last release of Redis with which Valkey is compatible.
  valkey: { personality: "valkey", title: "Valkey", version: VALKEY_VERSION, redisVersion: "7.2.4" },
};
