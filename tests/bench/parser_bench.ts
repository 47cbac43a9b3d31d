/**
 * The time to parse a request, in batches as a socket delivers them.
 */
import { encodeRequest } from "../helpers/client.ts";
import { concatBytes } from "../helpers/wire.ts";
import { RequestParser } from "../../src/resp/parser.ts";

const REQUESTS = 16;

function batch(words: string[]): Uint8Array {
  return concatBytes(Array.from({ length: REQUESTS }, () => encodeRequest(words)));
}

const batches: Readonly<Record<string, Uint8Array>> = {
  "GET of a key of 16 bytes": batch(["GET", "key:000000012345"]),
  "SET of a key of 16 and a value of 32 bytes": batch(["SET", "key:000000012345", "x".repeat(32)]),
  "MSET of ten keys": batch(["MSET", ...Array.from({ length: 20 }, () => "key:000000012345")]),
  "inline PING": new TextEncoder().encode("PING\r\n".repeat(REQUESTS)),
};

for (const [name, bytes] of Object.entries(batches)) {
  const parser = new RequestParser();
  Deno.bench({
    name: `${REQUESTS} × ${name}`,
    group: "parser",
    fn: () => {
      for (let at = 0; at < bytes.length;) {
        const room = parser.room();
        const count = Math.min(room.length, bytes.length - at);
        room.set(bytes.subarray(at, at + count));
        parser.filled(count);
        at += count;
        while (parser.next());
      }
    },
  });
}
