/**
 * DEBUG RELOAD: all data leaves the store as a snapshot and is loaded from it again, which shows that nothing is lost
 * on the way.
 */
import type { Engine } from "../engine/engine.ts";
import { ExpiryMode } from "../store/keyspace.ts";
import { RdbInput } from "./input.ts";
import { RdbLoader } from "./loader.ts";
import { snapshotImage } from "./save.ts";

/** Saves and loads all data through a snapshot in memory. The append-only file does not change. */
export function reloadThroughSnapshot(engine: Engine): void {
  replaceAll(engine, snapshotImage(engine), true);
  engine.store.check();
}

/** Replaces all data by those of a snapshot. Throws RdbError if it is damaged, and errors of Deno. */
export function reloadFromFile(engine: Engine, path: string): void {
  replaceAll(engine, Deno.readFileSync(path), false);
  engine.store.check();
}

/** Replaces all data by those of a snapshot in memory. Throws RdbError if it is damaged. */
export function replaceAll(engine: Engine, image: Uint8Array, keepExpired: boolean): void {
  const { store, snapshots } = engine;
  snapshots.cancel?.();
  for (const db of store.databases) db.clear();
  engine.listeners.databasesFlushed();
  const library = (source: Uint8Array) => engine.libraries?.add(source);
  const release = keepExpired ? engine.holdExpiry(ExpiryMode.KEEP) : () => {};
  try {
    const { keys, expired } = new RdbLoader(store, RdbInput.of(image), { keepExpired, library }).run();
    snapshots.loadedKeys = keys;
    snapshots.loadedExpiredKeys = expired;
  } finally {
    release();
  }
}
