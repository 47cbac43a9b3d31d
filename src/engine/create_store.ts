/**
 * Creates a store: registers the value types and connects their limits to the settings.
 */
import type { Random } from "../core/random.ts";
import type { Settings } from "../settings/settings.ts";
import { HashValue } from "../store/values/hash_value.ts";
import { Type } from "../store/keyspace.ts";
import { List } from "../store/values/list.ts";
import { MemberSet } from "../store/values/set.ts";
import { SortedSet } from "../store/values/sorted_set.ts";
import { StreamValue } from "../store/values/streams/stream_value.ts";
import { Store } from "../store/store.ts";

export function createStore(settings: Settings, random: Random): Store {
  const store = new Store({ databases: settings.values.databases, random });
  const lists = new List(store.arena);
  lists.maxListpackSize = settings.values.listMaxListpackSize;
  settings.onChange("list-max-listpack-size", (value) => lists.maxListpackSize = value);
  store.register(Type.LIST, lists);
  const sortedSets = new SortedSet(store.arena, store.dict);
  sortedSets.maxPackedEntries = settings.values.zsetMaxListpackEntries;
  sortedSets.maxPackedValueBytes = settings.values.zsetMaxListpackValue;
  settings.onChange("zset-max-listpack-entries", (value) => sortedSets.maxPackedEntries = value);
  settings.onChange("zset-max-listpack-value", (value) => sortedSets.maxPackedValueBytes = value);
  store.register(Type.ZSET, sortedSets);

  const sets = new MemberSet(store.arena);
  sets.maxIntSetEntries = settings.values.setMaxIntsetEntries;
  sets.maxPackedEntries = settings.values.setMaxListpackEntries;
  sets.maxPackedValueBytes = settings.values.setMaxListpackValue;
  settings.onChange("set-max-intset-entries", (value) => sets.maxIntSetEntries = value);
  settings.onChange("set-max-listpack-entries", (value) => sets.maxPackedEntries = value);
  settings.onChange("set-max-listpack-value", (value) => sets.maxPackedValueBytes = value);
  store.register(Type.SET, sets);
  const hashes = new HashValue(store);
  hashes.maxPackedEntries = settings.values.hashMaxListpackEntries;
  hashes.maxPackedValueBytes = settings.values.hashMaxListpackValue;
  settings.onChange("hash-max-listpack-entries", (value) => hashes.maxPackedEntries = value);
  settings.onChange("hash-max-listpack-value", (value) => hashes.maxPackedValueBytes = value);
  store.register(Type.HASH, hashes);

  const streams = new StreamValue(store);
  streams.nodes.maxBytes = settings.values.streamNodeMaxBytes;
  streams.nodes.maxEntries = settings.values.streamNodeMaxEntries;
  streams.messageSeconds = settings.values.streamIdmpDuration;
  streams.messagesMax = settings.values.streamIdmpMaxsize;
  settings.onChange("stream-node-max-bytes", (value) => streams.nodes.maxBytes = value);
  settings.onChange("stream-node-max-entries", (value) => streams.nodes.maxEntries = value);
  settings.onChange("stream-idmp-duration", (value) => streams.messageSeconds = value);
  settings.onChange("stream-idmp-maxsize", (value) => streams.messagesMax = value);
  store.register(Type.STREAM, streams);
  return store;
}
