/**
 * Puts a store together: registers the value types and ties their limits to the settings.
 */
import type { Random } from "../core/random.ts";
import type { Settings } from "../engine/settings.ts";
import { Type } from "../store/keyspace.ts";
import { List } from "../store/list.ts";
import { Store } from "../store/store.ts";

export function createStore(settings: Settings, random: Random): Store {
  const store = new Store({ databases: settings.values.databases, random });
  const lists = new List(store.arena);
  lists.maxListpackSize = settings.values.listMaxListpackSize;
  settings.onChange("list-max-listpack-size", (value) => lists.maxListpackSize = value);
  store.register(Type.LIST, lists);
  return store;
}
