/**
 * The payload of DUMP, RESTORE and MIGRATE: one value without its key.
 *
 *     RDB type:8 · value · version:16 · CRC-64 of all before:64      low byte first
 */
import type { Keyspace } from "../store/keyspace.ts";
import type { Store } from "../store/store.ts";
import { Crc64 } from "./crc64.ts";
import { RdbError, REDIS_VERSION_MAX, VALKEY_VERSION_MAX, VALKEY_VERSION_MIN } from "./format.ts";
import { RdbInput } from "./input.ts";
import { RdbOutput } from "./output.ts";
import { StoreTarget } from "./store_target.ts";
import { nowhere, ValueReader } from "./value_reader.ts";
import { ValueWriter } from "./value_writer.ts";
import type { RecordRef } from "../store/memory/arena.ts";

/** The version and the checksum. */
export const FOOTER_BYTES = 10;
const CHECKSUM_BYTES = 8;

/** The payload of the value of a key in a version. `compression` is like the setting rdbcompression. */
export function dumpValue(
  store: Store,
  db: Keyspace,
  ref: RecordRef,
  version: number,
  compression: boolean,
): Uint8Array {
  const output = new RdbOutput({ compression, checksum: true });
  const writer = new ValueWriter(store, output, version);
  output.byte(writer.typeOf(db, ref));
  writer.write(db, ref);
  output.int16(version);
  output.checksum();
  return output.bytes.subarray(0, output.length);
}

/** Whether a payload has a version of either server, and a correct checksum or none (zeros). */
export function isSound(payload: Uint8Array, skipChecksum = false): boolean {
  const footer = payload.length - FOOTER_BYTES;
  if (footer < 0) return false;
  const version = versionOf(payload);
  if (version > REDIS_VERSION_MAX && (version < VALKEY_VERSION_MIN || version > VALKEY_VERSION_MAX)) return false;
  if (skipChecksum || payload.subarray(footer + 2).every((byte) => byte === 0)) return true;
  const crc = new Crc64();
  crc.add(payload, 0, footer + 2);
  return crc.matches(payload, footer + 2);
}

function versionOf(payload: Uint8Array): number {
  const footer = payload.length - FOOTER_BYTES;
  return payload[footer] | payload[footer + 1] << 8;
}

/** A copy of a payload without a checksum: zeros take its place. */
export function withoutChecksum(payload: Uint8Array): Uint8Array {
  const copy = payload.slice();
  copy.fill(0, copy.length - CHECKSUM_BYTES);
  return copy;
}

/**
 * Builds the value of a payload, which the caller attaches to a key. Undefined if the payload is damaged, or if the
 * value has an element twice or no elements. It is read twice, so that damage is found before anything is built.
 */
export function restoreValue(store: Store, payload: Uint8Array): StoreTarget | undefined {
  const target = new StoreTarget(store);
  const body = payload.subarray(0, payload.length - FOOTER_BYTES);
  try {
    for (const to of [nowhere, target]) {
      const input = RdbInput.of(body), reader = new ValueReader(input);
      reader.valkey = versionOf(payload) >= VALKEY_VERSION_MIN;
      const skipped = reader.read(input.byte(), to);
      if (skipped !== "") return undefined;
    }
  } catch (error) {
    if (error instanceof RdbError) return undefined;
    throw error;
  }
  if (target.missingType !== "") return undefined;
  if (!target.duplicate && !target.empty) return target;
  target.drop();
  return undefined;
}
