/**
 * A client for the parts about collections: it writes collections of any size in batches of commands with many elements
 * each, and times a command until the last byte of its reply. It counts lines and reads no value, so that what it takes
 * itself is little; hence it is good only for elements without line ends.
 */
const LINE_END = "\n".charCodeAt(0), ARRAY = "*".charCodeAt(0), BULK = "$".charCodeAt(0);
const ERROR = "-".charCodeAt(0);
const READ_BYTES = 1 << 20;
const ELEMENTS_PER_COMMAND = 100;
const COMMANDS_PER_BATCH = 20;

/** A kind of collection: the command that adds elements, and the words of the i-th of them, all ASCII. */
export interface Shape {
  readonly add: string;
  words(i: number): string[];
}

/** `name:` and 12 digits. */
export function numbered(name: string, i: number): string {
  return `${name}:${String(i).padStart(12, "0")}`;
}

/** Whole numbers in an order that is none: the i-th is i times a prime, within `range`. */
export function scattered(i: number, range: number): number {
  return (i * 7_368_787) % range;
}

export class BenchClient implements Disposable {
  readonly #socket: Deno.TcpConn;
  readonly #buffer = new Uint8Array(READ_BYTES);

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
    socket.setNoDelay(true);
  }

  static async connect(port: number): Promise<BenchClient> {
    return new BenchClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends a command and reads its reply to the end. Returns its first line. Throws an error for an error reply. */
  async command(...words: string[]): Promise<string> {
    await this.#send(request(words));
    return await this.#receive();
  }

  /** Milliseconds that a command takes from its first byte to the last one of its reply. */
  async timeMs(...words: string[]): Promise<number> {
    const startMs = performance.now();
    await this.command(...words);
    return performance.now() - startMs;
  }

  /** The integer that a command replies. */
  async number(...words: string[]): Promise<number> {
    return Number((await this.command(...words)).slice(1));
  }

  /** A bulk string reply, which must fit into one read. */
  async text(...words: string[]): Promise<string> {
    await this.#send(request(words));
    const decoder = new TextDecoder();
    let text = "";
    for (let end = Infinity; text.length < end;) {
      text += decoder.decode(this.#buffer.subarray(0, await this.#read()), { stream: true });
      const line = text.indexOf("\r\n");
      if (line >= 0) end = line + 2 + Number(text.slice(1, line)) + 2;
    }
    return text;
  }

  /** Adds the elements `from` to `to` of a shape to a key. */
  async fill(key: string, shape: Shape, to: number, from = 0): Promise<void> {
    await this.#pipeline(function* () {
      for (let i = from; i < to;) {
        const words = [shape.add, key];
        for (const end = Math.min(to, i + ELEMENTS_PER_COMMAND); i < end; i++) words.push(...shape.words(i));
        yield request(words);
      }
    }());
  }

  /** Makes `count` keys, `prefix:` and a number, of `size` elements each; no two have an element in common. */
  async fillKeys(prefix: string, count: number, shape: Shape, size: number): Promise<void> {
    await this.#pipeline(function* () {
      for (let key = 0; key < count; key++) {
        const words = [shape.add, numbered(prefix, key)];
        for (let i = 0; i < size; i++) words.push(...shape.words(key * size + i));
        yield request(words);
      }
    }());
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  /** Sends requests whose replies have one line, a batch ahead of the replies. */
  async #pipeline(requests: Iterable<string>): Promise<void> {
    let batch = "", inBatch = 0, awaited = 0;
    const flush = async (ahead: number) => {
      await this.#send(batch);
      awaited += inBatch;
      batch = "";
      inBatch = 0;
      while (awaited > ahead) awaited -= await this.#readLines();
    };
    for (const one of requests) {
      batch += one;
      if (++inBatch === COMMANDS_PER_BATCH) await flush(COMMANDS_PER_BATCH);
    }
    await flush(0);
  }

  async #send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }

  async #read(): Promise<number> {
    return await this.#socket.read(this.#buffer) ?? Promise.reject(new Error("the server closed the connection"));
  }

  /** Reads something. Returns the number of lines that end in it. */
  async #readLines(): Promise<number> {
    const bytes = this.#buffer.subarray(0, await this.#read());
    if (bytes[0] === ERROR) throw new Error(new TextDecoder().decode(bytes));
    return linesIn(bytes);
  }

  async #receive(): Promise<string> {
    let lines = await this.#readLines();
    // The first line is short, and the server writes it whole.
    const head = new TextDecoder().decode(this.#buffer.subarray(0, this.#buffer.indexOf(LINE_END) - 1));
    const kind = head.charCodeAt(0);
    // Of an array, every element has a line for its length.
    const all = kind === ARRAY ? 1 + 2 * Number(head.slice(1)) : kind === BULK ? 2 : 1;
    while (lines < all) lines += await this.#readLines();
    return head;
  }
}

function request(words: readonly string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
  return text;
}

function linesIn(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_END); at >= 0; at = bytes.indexOf(LINE_END, at + 1)) lines++;
  return lines;
}
