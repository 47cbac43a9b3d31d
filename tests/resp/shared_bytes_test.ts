/** Messages that sessions share: replies that hold them, compared with a model that copies everything. */
import { assertEquals } from "@std/assert";
import { latin1 } from "../../src/core/bytes.ts";
import { CHUNK_BYTES_MAX, pooledBytes } from "../../src/resp/chunks.ts";
import { Reply } from "../../src/resp/reply.ts";
import { SharedBytes } from "../../src/resp/shared_bytes.ts";
import { oneIn, pick, property } from "../helpers/property.ts";

/** A message in RESP, as SharedBytes encodes it. */
function encoded(mark: string, parts: readonly Uint8Array[]): string {
  return `${mark}${parts.length}\r\n` + parts.map((part) => `$${part.length}\r\n${latin1(part)}\r\n`).join("");
}

/** Encodes a message of bulk strings. */
function encode(shared: SharedBytes, parts: readonly Uint8Array[]): void {
  shared.begin(parts.length, parts.reduce((sum, { length }) => sum + length, 0));
  for (const part of parts) shared.add(part);
}

Deno.test("messages are encoded as arrays in RESP2 and as pushes in RESP3", () => {
  const parts = [Uint8Array.of(255, 0), new Uint8Array(), new Uint8Array(100).fill(97)];
  for (const [version, mark] of [[2, "*"], [3, ">"]] as const) {
    const shared = new SharedBytes(version);
    for (let round = 0; round < 3; round++) {
      encode(shared, parts);
      assertEquals(latin1(shared.chunk, shared.start, shared.end), encoded(mark, parts));
      assertEquals(latin1(shared.copy()), encoded(mark, parts));
    }
    shared.reset();
  }
});

Deno.test("replies of any order of shared messages and own replies are what each session was told", () =>
  property(20, (random) => {
    const shared = new SharedBytes(2);
    const sessions = Array.from({ length: 5 }, () => ({ reply: new Reply(), unsent: "" }));
    const send = (session: typeof sessions[number]) => {
      const { reply, unsent } = session;
      assertEquals(reply.pendingBytes, unsent.length);
      const sent = reply.shared ? [reply.takeShared()] : reply.take().map(({ view }) => view);
      assertEquals(sent.map((bytes) => latin1(bytes)).join("") === unsent, true);
      session.unsent = "";
    };
    for (let turn = 0; turn < 20; turn++) {
      for (let step = random.below(30); step > 0; step--) {
        const session = pick(random, sessions), { reply } = session;
        if (oneIn(random, 3)) {
          const text = "x".repeat(pick(random, [0, 1, 40, 3000, 70_000]));
          const mark = reply.mark();
          reply.bulkText(text);
          if (oneIn(random, 4)) reply.rewind(mark);
          else session.unsent += `$${text.length}\r\n${text}\r\n`;
        } else if (oneIn(random, 10)) {
          send(session);
        } else {
          const parts = Array.from(
            { length: 1 + random.below(3) },
            () => new Uint8Array(pick(random, [0, 5, 60, 5000, 70_000])).fill(random.below(256)),
          );
          encode(shared, parts);
          for (const each of sessions) {
            if (oneIn(random, 3)) continue;
            each.reply.share(shared.chunk, shared.start, shared.end);
            each.unsent += encoded("*", parts);
          }
        }
        if (oneIn(random, 20)) {
          reply.clear();
          session.unsent = "";
        }
      }
      // At the end of the turn most sessions send, and the others copy.
      for (const session of sessions) {
        if (oneIn(random, 5)) session.reply.own();
        else send(session);
      }
      shared.reset();
    }
    sessions.forEach(send);
  }));

Deno.test("a session that receives all messages of a turn copies none of them", () => {
  const shared = new SharedBytes(3), reply = new Reply();
  for (let i = 0; i < 100; i++) {
    encode(shared, [new Uint8Array(100)]);
    reply.share(shared.chunk, shared.start, shared.end);
  }
  assertEquals([reply.shared, reply.roomBytes], [true, 0]);
  assertEquals(reply.takeShared().buffer, shared.chunk.buffer);
});

Deno.test("shared messages of any size are forgotten at the end of the turn", () => {
  const shared = new SharedBytes(2), before = pooledBytes();
  for (const size of [10, 60_000, 60_000, CHUNK_BYTES_MAX, 3 * CHUNK_BYTES_MAX, 5]) {
    encode(shared, [new Uint8Array(size)]);
    assertEquals(shared.end - shared.start > size, true);
  }
  shared.reset();
  assertEquals([shared.chunk.length, shared.end], [0, 0]);
  assertEquals(pooledBytes() - before <= 4 * CHUNK_BYTES_MAX, true);
});
