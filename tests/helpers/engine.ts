/**
 * An engine without a server, for tests of the work between commands.
 */
import type { Clock } from "../../src/core/clock.ts";
import { utf8 } from "../../src/core/bytes.ts";
import { SeededRandom } from "../../src/core/random.ts";
import { Engine } from "../../src/engine/engine.ts";
import { type SettingName, Settings } from "../../src/settings/settings.ts";
import { createStore } from "../../src/engine/create_store.ts";
import { type Keyspace, NEVER } from "../../src/store/keyspace.ts";
import type { RecordRef } from "../../src/store/memory/arena.ts";

export function createEngine(clock: Clock, options: Record<string, string> = {}, seed = 1): Engine {
  const settings = new Settings();
  for (const [name, text] of Object.entries(options)) settings.init(name as SettingName, [text]);
  const random = new SeededRandom(seed);
  return new Engine(createStore(settings, random), settings, clock, random);
}

/** Sets a string, as SET does. */
export function setString(db: Keyspace, name: string, value: string, deadline = NEVER): number {
  const key = utf8(name), text = utf8(value);
  return db.setString(key, 0, key.length, text, 0, text.length, deadline);
}

/** The record of a key, 0 if it is missing; the lookup does not update the key's clock. */
export function findKey(db: Keyspace, name: string): RecordRef {
  const key = utf8(name);
  return db.find(key, 0, key.length);
}
