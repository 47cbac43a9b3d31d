/**
 * The logs of commands that were slow, large, or had a large reply: the latest of each kind. An entry keeps at most 32
 * arguments of 128 bytes each.
 */
import { fromLatin1 } from "../core/bytes.ts";
import type { Request } from "../resp/request.ts";

const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;

export interface CommandLogEntry {
  id: number;
  timeSeconds: number;
  /** The duration in microseconds, or the size in bytes. */
  value: number;
  args: Uint8Array[];
  client: string;
  name: string;
}

export class CommandLog {
  /** Newest first. */
  entries: CommandLogEntry[] = [];
  #nextId = 0;
  #lengthMax = 0;

  /** The largest number of entries. As in Redis, 0 keeps the entries and adds none. */
  set lengthMax(lengthMax: number) {
    this.#lengthMax = lengthMax;
    if (lengthMax > 0) this.#trim();
  }

  /** Adds a request. The arguments in `secrets` are replaced by a placeholder. */
  add(
    request: Request,
    value: number,
    nowMs: number,
    client: string,
    name: string,
    secrets?: ReadonlySet<number>,
  ): void {
    // Entries that are not kept do not use up an id.
    if (this.#lengthMax === 0) return;
    const args: Uint8Array[] = [];
    const shown = Math.min(request.argc, ARGUMENTS_MAX);
    for (let i = 0; i < shown; i++) {
      if (shown !== request.argc && i === shown - 1) {
        args.push(fromLatin1(`... (${request.argc - shown + 1} more arguments)`));
        break;
      }
      if (secrets?.has(i)) {
        args.push(fromLatin1("(redacted)"));
        continue;
      }
      const size = request.end[i] - request.start[i];
      const kept = request.bytes.slice(request.start[i], request.start[i] + Math.min(size, ARGUMENT_BYTES_MAX));
      if (size <= ARGUMENT_BYTES_MAX) {
        args.push(kept);
      } else {
        const more = fromLatin1(`... (${size - ARGUMENT_BYTES_MAX} more bytes)`);
        const joined = new Uint8Array(kept.length + more.length);
        joined.set(kept);
        joined.set(more, kept.length);
        args.push(joined);
      }
    }
    const timeSeconds = Math.floor(nowMs / 1000);
    this.entries.unshift({ id: this.#nextId++, timeSeconds, value: Math.round(value), args, client, name });
    this.#trim();
  }

  #trim(): void {
    if (this.entries.length > this.#lengthMax) this.entries.length = this.#lengthMax;
  }

  reset(): void {
    this.entries = [];
  }
}
