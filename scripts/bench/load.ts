/**
 * Load of our own: SET commands with keys of 16 and values of 32 bytes, written ahead into one buffer, and the
 * question how long the server lets others wait meanwhile.
 */
const KEY_DIGITS = 12;
const HEAD = "*3\r\n$3\r\nSET\r\n$16\r\nkey:";
const TAIL = `\r\n$32\r\n${"x".repeat(32)}\r\n`;
const REQUEST_BYTES = HEAD.length + KEY_DIGITS + TAIL.length;
const OK_BYTES = 5;
const BATCH = 100;

/** `count` SET requests of keys from `first` on. */
export function setRequests(first: number, count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count * REQUEST_BYTES);
  const one = new TextEncoder().encode(HEAD + "0".repeat(KEY_DIGITS) + TAIL);
  for (let i = 0; i < count; i++) {
    const at = i * REQUEST_BYTES;
    bytes.set(one, at);
    for (let n = first + i, digit = at + HEAD.length + KEY_DIGITS - 1; n > 0; n = Math.floor(n / 10)) {
      bytes[digit--] = 48 + n % 10;
    }
  }
  return bytes;
}

/** Sets `count` keys from `first` on, some at a time. `each` is called now and then with how many there are. */
export async function setKeys(
  port: number,
  first: number,
  count: number,
  each?: (done: number) => void,
): Promise<void> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  const replies = new Uint8Array(64 * 1024);
  for (let done = 0; done < count;) {
    const size = Math.min(BATCH, count - done);
    const requests = setRequests(first + done, size);
    for (let at = 0; at < requests.length;) at += await socket.write(requests.subarray(at));
    for (let left = size * OK_BYTES; left > 0;) {
      const read = await socket.read(replies);
      if (read === null) throw new Error("the server closed the connection");
      left -= read;
    }
    done += size;
    each?.(done);
  }
}

export interface Waits {
  readonly maxMs: number;
  /** Exceeded once in a thousand times. */
  readonly p999Ms: number;
}

/** Runs `body` while a worker asks how long the server of `port` lets others wait. */
export async function whileProbing(port: number, body: () => Promise<void>): Promise<Waits> {
  const worker = new Worker(new URL("./probe.ts", import.meta.url), { type: "module" });
  const next = () =>
    new Promise<Float64Array>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
    });
  try {
    worker.postMessage(port);
    await next();
    await body();
    worker.postMessage("stop");
    const waits = await next();
    return { maxMs: waits.at(-1) ?? 0, p999Ms: waits[Math.floor(waits.length * 0.999)] ?? 0 };
  } finally {
    worker.terminate();
  }
}
