/**
 * The client's end of a pipe as a stream of Node's, for clients that take one instead of an address.
 */
import type { Duplex } from "node:stream";
import { stream as streams } from "../core/builtin.ts";
import { type PipeClient, PipeSocket } from "./pipe.ts";

/** Makes a stream and the socket at its other end. The stream has the methods of a net.Socket that clients call. */
export function openDuplex(number: number): { stream: Duplex; socket: PipeSocket } {
  const { Duplex } = streams();
  const client: PipeClient = {
    received: (bytes) => {
      if (!stream.push(bytes)) socket.full = true;
    },
    closed: () => {
      stream.push(null);
      stream.destroy();
    },
  };
  const socket = new PipeSocket(client, number);
  const stream = new Duplex({
    read: () => socket.full = false,
    write: (chunk: Uint8Array, _encoding, done) => {
      socket.write(new Uint8Array(chunk));
      done();
    },
    final: (done) => {
      socket.end();
      done();
    },
    destroy: (error, done) => {
      socket.end();
      done(error);
    },
  });
  const self = () => stream;
  Object.assign(stream, { setNoDelay: self, setKeepAlive: self, setTimeout: self, ref: self, unref: self });
  return { stream, socket };
}
