/**
 * DEBUG RELOAD: all data leaves the store as a snapshot and is loaded from it again, which shows that nothing is lost
 * on the way.
 */
import type { Engine } from "../engine/engine.ts";
import { ExpiryMode } from "../store/keyspace.ts";
import { RdbInput } from "./input.ts";
import { RdbLoader } from "./loader.ts";
import { snapshotImage } from "./save.ts";

export interface ReloadOptions {
  /** Removes all data and libraries first. */
  readonly flush: boolean;
  /** Loaded keys and libraries replace those of the same name; else these are an error. */
  readonly merge: boolean;
}

/** Saves and loads all data through a snapshot in memory. The append-only file does not change. Throws RdbError. */
export function reloadThroughSnapshot(engine: Engine, options: ReloadOptions): void {
  load(engine, snapshotImage(engine), true, options);
  engine.store.check();
}

/** Loads the data of a snapshot. Throws RdbError if it is damaged, and errors of Deno. */
export function reloadFromFile(engine: Engine, path: string, options: ReloadOptions): void {
  load(engine, Deno.readFileSync(path), false, options);
  engine.store.check();
}

/** Replaces all data by those of a snapshot in memory. Throws RdbError if it is damaged. */
export function replaceAll(engine: Engine, image: Uint8Array): void {
  load(engine, image, true, { flush: true, merge: false });
}

function load(engine: Engine, image: Uint8Array, keepExpired: boolean, { flush, merge }: ReloadOptions): void {
  const { store, snapshots, libraries } = engine;
  snapshots.cancel?.();
  if (flush) {
    for (const db of store.databases) db.clear();
    libraries?.clear();
  }
  engine.listeners.databasesFlushed();
  const library = (source: Uint8Array) => libraries?.add(source, merge);
  const release = keepExpired ? engine.holdExpiry(ExpiryMode.KEEP) : () => {};
  try {
    const { keys, expired } = new RdbLoader(store, RdbInput.of(image), { keepExpired, library, replace: merge }).run();
    snapshots.loadedKeys = keys;
    snapshots.loadedExpiredKeys = expired;
  } finally {
    release();
  }
}
