import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../src/core/errors.ts";
import { RequestParser } from "../../src/resp/parser.ts";
import { Request } from "../../src/resp/request.ts";
import { encodeRequest, latin1 } from "../helpers/client.ts";
import { concatBytes } from "../helpers/wire.ts";
import { property } from "../helpers/property.ts";

const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** Feeds bytes to a parser in pieces that end at `cuts`, and collects the requests, some of them parsed `ahead`. */
function feed(parser: RequestParser, data: Uint8Array, cuts: readonly number[], ahead: Request[] = []): string[][] {
  const requests: string[][] = [];
  let at = 0;
  for (const cut of [...cuts, data.length]) {
    while (at < cut) {
      const room = parser.room();
      const count = Math.min(room.length, cut - at);
      room.set(data.subarray(at, at + count));
      parser.filled(count);
      at += count;
      for (;;) {
        const count = parser.parseAhead(ahead);
        for (let i = 0; i < count; i++) requests.push(argumentsOf(ahead[i]));
        if (count > 0) continue;
        if (!parser.next()) break;
        requests.push(argumentsOf(parser.request));
      }
    }
  }
  return requests;
}

function argumentsOf({ bytes, start, end, argc }: Request): string[] {
  return Array.from({ length: argc }, (_, i) => latin1(bytes.subarray(start[i], end[i])));
}

const STREAM: readonly (readonly string[])[] = [
  ["PING"],
  ["SET", "key", "value"],
  ["SET", "empty", ""],
  ["GET", "\r\n*1\r\n$4\r\nPING\r\n"],
  ["ECHO", "\x00\xff\r\n\x01"],
  ["MSET", ...Array.from({ length: 40 }, (_, i) => `argument ${i}`)],
];

Deno.test("a stream of requests is understood wherever it is split in two", () => {
  const data = concatBytes(STREAM.map((args) => encodeRequest(args)));
  for (let cut = 1; cut < data.length; cut++) {
    assertEquals(feed(new RequestParser(), data, [cut]), STREAM.map((args) => [...args]), `split at byte ${cut}`);
  }
});

Deno.test("a stream of requests is understood byte by byte, inline requests among them", () => {
  const data = bytes('PING\r\n\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\nset a "b c"\n*0\r\n*-1\r\nGET a\r\n');
  const cuts = Array.from({ length: data.length }, (_, i) => i);
  assertEquals(feed(new RequestParser(), data, cuts), [["PING"], ["ECHO", "hi"], ["set", "a", "b c"], ["GET", "a"]]);
});

Deno.test("random requests in random pieces come out as they went in", async () => {
  await property(40, (random) => {
    const stream = Array.from({ length: 1 + random.below(20) }, () =>
      Array.from(
        { length: 1 + random.below(random.below(8) === 0 ? 200 : 6) },
        () =>
          Array.from(
            { length: random.below(random.below(10) === 0 ? 20_000 : 20) },
            () => String.fromCharCode(random.below(256)),
          ).join(""),
      ));
    const data = concatBytes(stream.map((args) => encodeRequest(args)));
    const cuts = Array.from({ length: random.below(50) }, () => random.below(data.length)).sort((a, b) => a - b);
    for (const places of [0, 1, 5]) {
      const parser = new RequestParser();
      assertEquals(feed(parser, data, cuts, Array.from({ length: places }, () => new Request())), stream);
      assertEquals(parser.pendingBytes, 0);
    }
  });
});

Deno.test("requests are parsed in a borrowed buffer, and the rest is kept when it is given back", async () => {
  await property(40, (random) => {
    const stream = Array.from(
      { length: 50 },
      () => Array.from({ length: 1 + random.below(4) }, () => "x".repeat(random.below(300))),
    );
    const data = concatBytes(stream.map((args) => encodeRequest(args)));
    const parser = new RequestParser();
    const shared = new Uint8Array(1000);
    const requests: string[][] = [];
    for (let at = 0; at < data.length;) {
      const piece = data.subarray(at, at + 1 + random.below(shared.length));
      at += piece.length;
      if (parser.empty) {
        shared.set(piece);
        parser.borrow(shared, piece.length);
        while (parser.next()) requests.push(argumentsOf(parser.request));
        parser.giveBack();
        shared.fill(0);
      } else {
        requests.push(...feed(parser, piece, []));
      }
    }
    assertEquals(requests, stream);
    assertEquals(parser.pendingBytes, 0);
  });
});

Deno.test("clients that read in turn do not disturb each other's half-read requests", () =>
  property(8, (random) => {
    const shared = new Uint8Array(70_000);
    const clients = Array.from({ length: 4 }, () => {
      const stream = Array.from({ length: 30 }, () => {
        const length = random.below(40) === 0 ? random.below(100_000) : random.below(50);
        return Array.from({ length: 1 + random.below(12) }, () => String(random.below(10)).repeat(length));
      });
      const data = concatBytes(stream.map((args) => encodeRequest(args)));
      return { parser: new RequestParser(), data, at: 0, stream, requests: [] as string[][] };
    });
    for (let left = clients; left.length > 0; left = left.filter(({ data, at }) => at < data.length)) {
      for (const client of left) {
        const { parser, data, requests } = client;
        const most = random.below(3) === 0 ? shared.length : 200;
        const piece = data.subarray(client.at, client.at + 1 + random.below(most));
        client.at += piece.length;
        if (!parser.empty) {
          requests.push(...feed(parser, piece, []));
          continue;
        }
        shared.set(piece);
        parser.borrow(shared, piece.length);
        while (parser.next()) requests.push(argumentsOf(parser.request));
        parser.giveBack();
      }
    }
    for (const { requests, stream } of clients) assertEquals(requests, stream);
  }));

Deno.test("an inline request's arguments stand in the line unless they are quoted", () => {
  const parser = new RequestParser();
  const data = bytes(" SET  a\tb \r\nSET 'a b' \"\\x41\"\r\n\r\nGET it's\r\n");
  parser.room().set(data);
  parser.filled(data.length);
  assertEquals([parser.next(), argumentsOf(parser.request)], [true, ["SET", "a", "b"]]);
  assertEquals([parser.next(), argumentsOf(parser.request)], [true, ["SET", "a b", "A"]]);
  assertThrows(() => parser.next(), ProtocolError, "unbalanced quotes in request");
});

Deno.test("parsing ahead stops before inline requests and before errors", () => {
  const parser = new RequestParser();
  const ahead = Array.from({ length: 5 }, () => new Request());
  const data = bytes(
    "*1\r\n$4\r\nPING\r\nECHO a\r\n*2\r\n$4\r\nECHO\r\n$1\r\nb\r\n*1\r\n$4\r\nPING\r\n*2\r\n$1\r\nx\r\n:1\r\n",
  );
  parser.room().set(data);
  parser.filled(data.length);
  assertEquals(parser.parseAhead(ahead), 1);
  assertEquals(parser.parseAhead(ahead), 0);
  assertEquals([parser.next(), argumentsOf(parser.request)], [true, ["ECHO", "a"]]);
  assertEquals(parser.parseAhead(ahead), 2);
  assertEquals(ahead.slice(0, 2).map(argumentsOf), [["ECHO", "b"], ["PING"]]);
  assertThrows(() => parser.next(), ProtocolError, "expected '$', got ':'");
});

Deno.test("nothing is parsed ahead for a client that is not trusted", () => {
  const parser = new RequestParser();
  const data = bytes("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
  parser.trusted = false;
  parser.room().set(data);
  parser.filled(data.length);
  assertEquals(parser.parseAhead([new Request()]), 0);
  assertEquals(parser.next(), true);
});

Deno.test("a request remembers the bytes that it came in", () => {
  const parser = new RequestParser();
  const data = concatBytes([encodeRequest(["GET", "a"]), encodeRequest(["SET", "b", "c"])]);
  const room = parser.room();
  room.set(data);
  parser.filled(data.length);
  const raw: string[] = [];
  while (parser.next()) {
    const { bytes, rawStart, rawEnd } = parser.request;
    raw.push(latin1(bytes.subarray(rawStart, rawEnd)));
  }
  assertEquals(raw, [latin1(encodeRequest(["GET", "a"])), latin1(encodeRequest(["SET", "b", "c"]))]);
});

const BROKEN: readonly (readonly [string, string])[] = [
  ["*abc\r\n", "invalid multibulk length"],
  ["*1048577\r\n", "invalid multibulk length"],
  ["*99999999999999999999\r\n", "invalid multibulk length"],
  ["*1\r\nPING\r\n", "expected '$', got 'P'"],
  ["*1\r\n$-1\r\n", "invalid bulk length"],
  ["*1\r\n$abc\r\n", "invalid bulk length"],
  ["*1\r\n$01\r\n", "invalid bulk length"],
  ["*1\r\n$536870913\r\n", "invalid bulk length"],
  ['SET a "b\r\n', "unbalanced quotes in request"],
  ['SET a "b"c\r\n', "unbalanced quotes in request"],
  ["SET a 'b\r\n", "unbalanced quotes in request"],
];

Deno.test("broken requests are refused in Redis's words, whole and byte by byte", () => {
  for (const [text, message] of BROKEN) {
    const data = bytes(text);
    for (const cuts of [[], Array.from({ length: data.length }, (_, i) => i)]) {
      const error = assertThrows(() => feed(new RequestParser(), data, cuts), ProtocolError);
      assertEquals(error.message, message, text);
    }
  }
});

Deno.test("lines that never end are refused at 64 KiB", () => {
  for (const [start, message] of [["*1", "too big mbulk count string"], ["P", "too big inline request"]]) {
    const data = bytes(start + "1".repeat(70_000));
    assertEquals(assertThrows(() => feed(new RequestParser(), data, []), ProtocolError).message, message);
  }
  const data = bytes("*1\r\n$1" + "1".repeat(70_000));
  assertEquals(
    assertThrows(() => feed(new RequestParser(), data, []), ProtocolError).message,
    "too big bulk count string",
  );
});

Deno.test("before authentication requests must be small", () => {
  for (
    const [text, message] of [
      ["*11\r\n", "unauthenticated multibulk length"],
      ["*2\r\n$4\r\nAUTH\r\n$16385\r\n", "unauthenticated bulk length"],
    ]
  ) {
    const parser = new RequestParser();
    parser.trusted = false;
    assertEquals(assertThrows(() => feed(parser, bytes(text), []), ProtocolError).message, message);
  }
});

Deno.test("no memory is allocated for a length that is only announced", () => {
  const parser = new RequestParser();
  feed(parser, bytes("*1000000\r\n$500000000\r\nabc"), []);
  assertEquals(parser.roomBytes <= 64 * 1024, true);
  assertEquals(parser.request.start.length <= 16, true);
});

Deno.test("an idle parser gives its room back and goes on", () => {
  const parser = new RequestParser();
  feed(parser, encodeRequest(["SET", "key", "v".repeat(1_000_000)]), []);
  assertEquals(parser.roomBytes >= 1_000_000, true);
  parser.trim(10);
  assertEquals(parser.roomBytes, 0);
  assertEquals(feed(parser, encodeRequest(["GET", "key"]), []), [["GET", "key"]]);
});

Deno.test("requests that are taken back are parsed again, with the bytes after them", () => {
  const data = concatBytes(STREAM.map((args) => encodeRequest(args)));
  for (let back = 0; back < STREAM.length; back++) {
    const parser = new RequestParser();
    const ahead = Array.from({ length: 16 }, () => new Request());
    parser.borrow(data, data.length);
    assertEquals(parser.parseAhead(ahead), STREAM.length);
    parser.unread(ahead[back]);
    parser.giveBack();
    for (const args of STREAM.slice(back)) {
      assertEquals(parser.next(), true);
      assertEquals(argumentsOf(parser.request), args);
    }
    assertEquals(parser.next(), false);
    assertEquals(parser.empty, true);
  }
});

Deno.test("a parser holds no memory for a request that has run, and keeps the bytes behind it", () => {
  const first = encodeRequest(["BLPOP", "k", "0"]), second = encodeRequest(["GET", "key"]);
  const ahead = [new Request(), new Request()];
  for (const cut of [0, 1, 5, second.length - 1, second.length]) {
    for (const isAhead of [false, true]) {
      const parser = new RequestParser();
      const data = concatBytes([first, second.subarray(0, cut)]);
      parser.borrow(data, data.length);
      if (isAhead) {
        const count = parser.parseAhead(ahead);
        if (count === 2) parser.unread(ahead[1]);
        else parser.finish();
      } else {
        assertEquals(parser.next(), true);
        parser.finish();
      }
      parser.giveBack();
      assertEquals([parser.pendingBytes, parser.ownRoomBytes > 0], [cut, cut > 0], `${cut}`);
      parser.room().set(second.subarray(cut));
      parser.filled(second.length - cut);
      assertEquals(parser.next(), true);
      assertEquals(argumentsOf(parser.request), ["GET", "key"]);
    }
  }
});

Deno.test("a long value takes a buffer of its own size", () => {
  const parser = new RequestParser();
  const data = encodeRequest(["SET", "key", "x".repeat(1_200_000)]);
  assertEquals(feed(parser, data, [100, 65_536, 1_000_000, data.length - 1])[0][2].length, 1_200_000);
  assertEquals(parser.roomBytes < data.length + 100, true, `${parser.roomBytes} bytes`);
  parser.trim(data.length);
  assertEquals(parser.roomBytes, 0);
});

Deno.test("a parser whose connection has ended holds no memory, in any state", () => {
  const data = encodeRequest(["SET", "key", "x".repeat(300_000)]);
  for (const length of [0, 5, 40, 100_000, data.length]) {
    const parser = new RequestParser();
    feed(parser, data.subarray(0, length), []);
    parser.dispose();
    assertEquals([parser.roomBytes, parser.pendingBytes], [0, 0]);
    parser.borrow(data, data.length);
    assertEquals(parser.next(), true);
  }
});

Deno.test("requests that have run leave no bytes behind, and the one that follows goes on", () => {
  const parser = new RequestParser();
  const ping = "*1\r\n$4\r\nPING\r\n", begun = "*2\r\n$3\r\nGET\r\n$3\r\nke";
  for (const [text, waiting] of [[ping, 0], [ping + ping, 0], [ping + begun, begun.length], ["PING\r\n", 0]] as const) {
    const data = bytes(text);
    parser.borrow(data, data.length);
    const requests = [new Request(), new Request()];
    if (parser.parseAhead(requests) === 0) assertEquals(parser.next(), true);
    parser.finish();
    assertEquals(parser.pendingBytes, waiting, text);
    parser.giveBack();
    assertEquals(parser.roomBytes > 0, waiting > 0);
    if (waiting === 0) continue;
    const rest = bytes("y\r\n");
    parser.room().set(rest);
    parser.filled(rest.length);
    assertEquals(parser.next(), true);
    assertEquals(argumentsOf(parser.request), ["GET", "key"]);
    parser.finish();
    assertEquals(parser.empty, true);
    parser.trim(0);
  }
});
