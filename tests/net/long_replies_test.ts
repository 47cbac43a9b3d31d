/**
 * Clients with long replies take turns. The sockets here record bytes, so no test depends on the speed of a machine.
 */
import { assert, assertEquals } from "@std/assert";
import { Connection } from "../../src/net/connection.ts";
import type { Socket, SocketOwner } from "../../src/net/socket.ts";
import type { Server } from "../../src/server/server.ts";
import { encodeRequest } from "../helpers/client.ts";
import { withServer } from "../helpers/server.ts";

const LONG_BYTES = 2_000_000;
const BULK_BYTES = LONG_BYTES + "$2000000\r\n\r\n".length;
/** The limit of a turn, and the reply that exceeds it. */
const TURN_BYTES = 4 * 1024 * 1024 + BULK_BYTES;

/** A socket whose client reads everything at once. */
class FakeSocket implements Socket {
  readonly remote = "127.0.0.1:1";
  readonly local = "127.0.0.1:2";
  readonly unix = false;
  readonly connection: Connection;
  sentBytes = 0;
  last = "";
  /** The connection waits for a call of `proceed`. */
  deferred = false;
  reading = true;

  constructor(server: Server) {
    this.connection = new Connection(server, this);
  }

  start(_owner: SocketOwner): void {}

  send(bytes: Uint8Array, length: number): void {
    this.sentBytes += length;
    this.last = new TextDecoder("latin1").decode(bytes.subarray(Math.max(0, length - 20), length));
    this.connection.sent();
  }

  resume(): void {
    this.reading = true;
  }

  defer(): void {
    assert(!this.deferred, "deferred twice");
    this.deferred = true;
  }

  close(): void {}

  receive(bytes: Uint8Array): void {
    assert(this.reading, "a socket that must not read has read");
    const shared = new Uint8Array(64 * 1024);
    shared.set(bytes);
    this.reading = this.connection.receivedShared(shared, bytes.length);
    shared.fill(0);
  }

  /** Does what was deferred. */
  proceed(): void {
    this.deferred = false;
    this.connection.proceed();
  }
}

/** One turn of the loop. Returns the bytes that all sockets sent in it. */
function round(server: Server, sockets: readonly FakeSocket[], work: () => void): number {
  const sum = () => sockets.reduce((bytes, { sentBytes }) => bytes + sentBytes, 0);
  const before = sum();
  server.turn.beginRound();
  work();
  server.turn.endRound();
  return sum() - before;
}

function requests(...lines: string[]): Uint8Array {
  return Uint8Array.from(lines.flatMap((line) => [...encodeRequest(line.split(" "))]));
}

Deno.test("a turn produces a bounded number of bytes of long replies, and short replies leave in it", () =>
  withServer(async (client, { server }) => {
    await client.command("SET", "long", "x".repeat(LONG_BYTES));
    const sockets = Array.from({ length: 8 }, () => new FakeSocket(server));
    const [witness] = sockets.splice(0, 1);
    round(server, sockets, () => witness.receive(requests("PING")));
    const gets = requests("GET long", "GET long", "GET long", "PING");
    const produced = [round(server, sockets, () => {
      for (const socket of sockets) socket.receive(gets);
      witness.receive(requests("ECHO now"));
    })];
    assertEquals(witness.last, "$3\r\nnow\r\n");
    assertEquals(sockets.filter(({ deferred }) => deferred).length, 7);
    for (let next: FakeSocket | undefined; (next = sockets.find(({ deferred }) => deferred)) !== undefined;) {
      const socket = next;
      produced.push(round(server, sockets, () => {
        socket.proceed();
        witness.receive(requests("PING"));
      }));
      assertEquals(witness.last, "+PONG\r\n");
      sockets.push(...sockets.splice(sockets.indexOf(socket), 1));
    }
    assert(Math.max(...produced) <= TURN_BYTES, `a turn produced ${Math.max(...produced)} bytes`);
    for (const socket of sockets) {
      assertEquals(socket.sentBytes, 3 * BULK_BYTES + 7);
      assertEquals(socket.last.slice(-7), "+PONG\r\n");
      assert(socket.reading);
      socket.connection.close(false);
    }
    witness.connection.close(false);
  }));

Deno.test("a client that must wait in the middle of a read loses no byte of it", () =>
  withServer(async (client, { server }) => {
    await client.command("SET", "long", "x".repeat(LONG_BYTES));
    const sockets = [new FakeSocket(server), new FakeSocket(server)];
    const [first, second] = sockets;
    const rest = requests("GET long", "GET long", "GET long", ...Array.from({ length: 300 }, (_, i) => `ECHO ${i}`));
    round(server, sockets, () => second.receive(rest.subarray(0, 7)));
    // The waiting request ends in the first piece of what arrives, in a turn without room for more.
    round(server, sockets, () => {
      first.receive(requests("GET long", "GET long", "GET long"));
      second.receive(rest.subarray(7));
    });
    assert(second.deferred);
    for (let rounds = 0; second.deferred; rounds++) {
      assert(rounds < 10, "a client waits forever");
      round(server, sockets, () => second.proceed());
    }
    assertEquals(second.last, "\r\n$3\r\n298\r\n$3\r\n299\r\n");
    assertEquals(second.sentBytes, 3 * BULK_BYTES + 10 * 7 + 90 * 8 + 200 * 9);
    for (const { connection } of sockets) connection.close(false);
  }));
