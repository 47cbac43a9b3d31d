/** `--pipe`: bulk loading from the standard input. */
import { encodeRequest } from "../../resp/decoder.ts";
import { fromBytes, toBytes } from "../binary.ts";
import { ConnectionError } from "../connection.ts";
import { splitArguments } from "../quoting.ts";
import { type ModeContext, ModeError } from "./context.ts";

/**
 * `--pipe`: sends the standard input, RESP or lines of commands, as fast as the server takes it, and counts the
 * replies. The reply to a final ECHO of random bytes is the last one. False when there were errors.
 */
export async function pipe(
  { connection, options, sink }: ModeContext,
  input: ReadableStream<Uint8Array>,
): Promise<boolean> {
  const marker = Array.from(crypto.getRandomValues(new Uint8Array(20)), (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  let [replies, errors, timedOut] = [0, 0, false];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const restartTimer = () => {
    clearTimeout(timer);
    if (options.pipeTimeoutMs === 0) return;
    timer = setTimeout(() => {
      timedOut = true;
      connection.close();
    }, options.pipeTimeoutMs);
  };
  let allSent = false;
  const counting = (async () => {
    for (;;) {
      const reply = await connection.read();
      if (allSent) restartTimer();
      if (reply.type === "string" && fromBytes(reply.bytes) === marker) return;
      replies++;
      if (reply.type === "error") {
        errors++;
        sink.error(fromBytes(reply.bytes) + "\n");
      }
    }
  })();
  // The errors are handled below; without this they count as unhandled while the input is still being sent.
  counting.catch(() => {});
  try {
    for await (const bytes of requestsOf(input)) {
      await connection.write(bytes);
      if (connection.closed) break;
    }
    await connection.send(["ECHO", marker]);
    sink.write("All data transferred. Waiting for the last reply...\n");
    allSent = true;
    restartTimer();
    await counting;
    sink.write("Last reply received from server.\n");
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    const seconds = options.pipeTimeoutMs / 1000;
    sink.error(timedOut ? `No replies for ${seconds} seconds: exiting.\n` : `Error: ${error.message}\n`);
    errors++;
  } finally {
    clearTimeout(timer);
  }
  sink.write(`errors: ${errors}, replies: ${replies}\n`);
  return errors === 0;
}

/** RESP as it comes; input that does not begin with `*` is lines of commands, quoted as in a session. */
async function* requestsOf(input: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  let [first, lines, unfinished] = [true, false, ""];
  for await (const chunk of input) {
    if (first && chunk.length > 0) {
      first = false;
      lines = chunk[0] !== 42;
    }
    if (!lines) {
      yield chunk;
      continue;
    }
    const parts = (unfinished + fromBytes(chunk)).split("\n");
    unfinished = parts.pop()!;
    yield* parts.map(requestOf).filter((request) => request !== undefined);
  }
  const last = requestOf(unfinished);
  if (last !== undefined) yield last;
}

function requestOf(line: string): Uint8Array | undefined {
  const args = splitArguments(line);
  if (args === undefined) throw new ModeError(`quotes do not balance: ${line.trimEnd()}`);
  return args.length === 0 ? undefined : encodeRequest(args.map(toBytes));
}
