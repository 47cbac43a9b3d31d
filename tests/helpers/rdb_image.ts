/** RDB files for tests, written by hand. */
import { fromLatin1 } from "../../src/core/bytes.ts";
import { Crc64 } from "../../src/rdb/crc64.ts";
import { concatBytes } from "./wire.ts";

/** The key "mod" with a value of a module: its type "ABCDEFGHI", one datum of each kind, the end marker. */
export const MODULE_KEY = `\x07\x03mod\x81${String.fromCharCode(0x00, 0x10, 0x83, 0x10, 0x51, 0x87, 0x20, 0x01)}` +
  `\x02\x05\x01\x06\x04${"\0".repeat(8)}\x03${"\0".repeat(4)}\x05\x01s\x00`;

/** An image of these bytes after the header, with the end marker and the checksum. */
export function imageOf(...parts: (string | Uint8Array)[]): Uint8Array {
  const body = concatBytes(["REDIS0012", ...parts, "\xff"].map((p) => typeof p === "string" ? fromLatin1(p) : p));
  const image = concatBytes([body, new Uint8Array(8)]);
  const crc = new Crc64();
  crc.add(image, 0, body.length);
  crc.write(image, body.length);
  return image;
}
