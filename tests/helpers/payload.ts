/**
 * Payloads of DUMP in tests: extracting them from replies, and updating the checksum after a change.
 */
import { Crc64 } from "../../src/rdb/crc64.ts";
import { fromLatin1 } from "../../src/core/bytes.ts";

/** The bytes of a bulk reply given as latin1 text of its RESP. */
export function bulkBytes(reply: string): Uint8Array {
  const line = reply.indexOf("\r\n");
  if (!reply.startsWith("$") || reply.startsWith("$-1")) throw new Error(`no bulk reply: ${reply.slice(0, 80)}`);
  return fromLatin1(reply.slice(line + 2, -2));
}

/** A payload of a value's type and bytes, with version and checksum. */
export function payloadOf(bytes: readonly number[], version = 10): Uint8Array {
  const payload = Uint8Array.of(...bytes, version, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const crc = new Crc64();
  crc.add(payload, 0, bytes.length + 2);
  crc.write(payload, bytes.length + 2);
  return payload;
}

/** The body of a payload, without version and checksum. */
export function bodyOf(payload: Uint8Array): Uint8Array {
  return payload.subarray(0, payload.length - 10);
}
