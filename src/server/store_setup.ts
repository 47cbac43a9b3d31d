/**
 * Puts a store together: registers the value types and ties their limits to the settings.
 */
import type { Random } from "../core/random.ts";
import type { Settings } from "../engine/settings.ts";
import { Store } from "../store/store.ts";

export function createStore(settings: Settings, random: Random): Store {
  const store = new Store({ databases: settings.values.databases, random });
  return store;
}
