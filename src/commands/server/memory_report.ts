/**
 * The memory figures for INFO and MEMORY. "Allocated" are the bytes that the allocator has handed out for keys and
 * values, rounded up to its block sizes; "reserved" are its chunks; "used" are the allocated bytes and the buffers of
 * clients. The rest of the process belongs to the JavaScript runtime.
 */
import type { Engine } from "../../engine/engine.ts";

export interface DatabaseOverhead {
  readonly index: number;
  readonly keysBytes: number;
  readonly expiresBytes: number;
}

export interface MemoryReport {
  readonly usedBytes: number;
  readonly allocatedBytes: number;
  readonly reservedBytes: number;
  /** Resident memory of the process. */
  readonly residentBytes: number;
  readonly peakBytes: number;
  /** Bytes of an empty store. */
  readonly startBytes: number;
  readonly clientBytes: number;
  /** Of databases that are not empty. */
  readonly databases: readonly DatabaseOverhead[];
  /** Dictionaries, clients and the memory at start. */
  readonly overheadBytes: number;
  readonly datasetBytes: number;
  readonly keyCount: number;
}

export function memoryReport(engine: Engine): MemoryReport {
  const { arena, dict, databases } = engine.store;
  const { usedBytes } = engine, { reservedBytes, usedBytes: allocatedBytes } = arena;
  engine.stats.notePeak(usedBytes, engine.clock.nowMs());
  const clientBytes = engine.clientMemory.countedBytes;
  const all = databases.map((db) => ({
    index: db.index,
    keysBytes: dict.sizeBytes(db.keys),
    expiresBytes: dict.sizeBytes(db.expires),
  }));
  const dictBytes = all.reduce((sum, { keysBytes, expiresBytes }) => sum + keysBytes + expiresBytes, 0);
  const { startBytes } = engine;
  // The empty dictionaries are most of the memory at start; they must not count twice.
  const ownBytes = Math.max(startBytes, dictBytes);
  return {
    usedBytes,
    allocatedBytes,
    reservedBytes,
    residentBytes: Deno.memoryUsage().rss,
    peakBytes: engine.stats.peakBytes,
    startBytes,
    clientBytes,
    databases: all.filter(({ index }) => databases[index].size > 0),
    overheadBytes: ownBytes + clientBytes,
    datasetBytes: Math.max(0, allocatedBytes - ownBytes),
    keyCount: databases.reduce((sum, db) => sum + db.size, 0),
  };
}

/** 0 where a ratio is undefined. */
export function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
