/**
 * Text that may hold any byte. Inside the client, command lines, arguments and formatted replies are "byte strings":
 * JavaScript strings in which each character is one byte. This file converts between them and text.
 */
import { Buffer } from "node:buffer";

/** The bytes of a byte string. */
export function toBytes(byteString: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(byteString, "latin1"));
}

/** The byte string of these bytes. */
export function fromBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The byte string of a text in UTF-8. */
export function fromText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** A byte string as text to show: UTF-8 where it is valid, U+FFFD elsewhere. */
export function toText(byteString: string): string {
  return Buffer.from(byteString, "latin1").toString("utf8");
}
