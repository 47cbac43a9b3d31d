/**
 * The time to write replies, in batches as a turn of the event loop sends them.
 */
import { releaseChunk } from "../../src/resp/chunks.ts";
import { Reply } from "../../src/resp/reply.ts";

const REPLIES = 16;
const value = new TextEncoder().encode("x".repeat(32));
const elements = Array.from({ length: 100 }, (_, i) => new TextEncoder().encode(`element:${i}`));

const writers: Readonly<Record<string, (reply: Reply) => void>> = {
  "OK": (reply) => reply.ok(),
  "an integer": (reply) => reply.integer(1234567),
  "a string of 32 bytes": (reply) => reply.bulk(value),
  "a list of 100 elements": (reply) => {
    reply.array(elements.length);
    for (const element of elements) reply.bulk(element);
  },
  "a double": (reply) => reply.double(3.14159),
};

for (const version of [2, 3]) {
  for (const [name, write] of Object.entries(writers)) {
    const reply = new Reply();
    reply.version = version;
    Deno.bench({
      name: `${REPLIES} × ${name}, RESP${version}`,
      group: `reply, RESP${version}`,
      fn: () => {
        for (let i = 0; i < REPLIES; i++) write(reply);
        for (const { chunk } of reply.take()) releaseChunk(chunk);
      },
    });
  }
}
