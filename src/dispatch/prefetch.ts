/**
 * Prefetch: looks up the keys and elements of the next requests together before the requests run, so that their cache
 * misses overlap. Only speed depends on it, so it may guess; a wrong guess costs some loads. This file makes the
 * guesses; the structures of the store know how to load the data of a lookup.
 */
import type { Request } from "../resp/request.ts";
import { PREFETCH_MAX } from "../store/blocks/dict.ts";
import { hashBytes } from "../core/hash_function.ts";
import type { Call } from "./call.ts";
import type { Command, CommandTable } from "./registry.ts";

export class Prefetcher {
  readonly #table: CommandTable;
  readonly #hashes = new Int32Array(PREFETCH_MAX);

  constructor(table: CommandTable) {
    this.#table = table;
  }

  /**
   * Finds the commands of a pipeline of up to PREFETCH_MAX requests before it runs, and prefetches the keys and
   * elements that they name. Hot.
   */
  pipeline(call: Call, requests: readonly Request[], commands: (Command | undefined)[], count: number): void {
    const hashes = this.#hashes;
    let keys = 0, elements = 0;
    for (let k = 0; k < count; k++) {
      const request = requests[k], { bytes, start, end } = request;
      // Pipelines are repetitive: a request often has the same command and key as the one before it.
      const before = k > 0 ? requests[k - 1] : undefined;
      const command = commands[k] = before !== undefined && request.repeats(before, 0)
        ? commands[k - 1]
        : this.#table.find(bytes, start[0], end[0]);
      if (count === 1 || request.argc < 2) continue;
      if (command !== undefined && command.likelyKey !== 1) {
        const at = command.likelyKey;
        if (at < request.argc) hashes[keys++] = hashBytes(bytes, start[at], end[at]);
      } else if (before !== undefined && request.repeats(before, 1)) {
        request.keyHash = before.keyHash;
      } else {
        // Argument 1 is most likely a key whose hash the command needs anyway.
        hashes[keys++] = request.keyHash = hashBytes(bytes, start[1], end[1]);
      }
      if (command !== undefined && command.element > 0) elements++;
    }
    call.db.prefetch(hashes, keys);
    call.session.tracker?.prefetch(hashes, keys);
    if (elements > 1) this.#elements(call, requests, commands, count);
  }

  /** Prefetches the elements of consecutive requests on the same large collection. */
  #elements(call: Call, requests: readonly Request[], commands: readonly (Command | undefined)[], count: number): void {
    const { db } = call, hashes = this.#hashes;
    for (let k = 0; k < count;) {
      const first = k, { keyHash, bytes, start, end } = requests[first];
      // An equal hash most likely means the same key.
      do k++; while (k < count && requests[k].keyHash === keyHash);
      if (k - first < 2 || keyHash === 0) continue;
      const ref = db.peek(bytes, start[1], end[1], keyHash);
      if (ref === 0 || !db.isHashed(ref)) continue;
      let elements = 0;
      for (let i = first; i < k; i++) {
        const request = requests[i], element = commands[i]?.element ?? 0;
        if (element === 0 || element >= request.argc) continue;
        const hash = hashBytes(request.bytes, request.start[element], request.end[element]);
        hashes[elements++] = request.elementHash = hash;
      }
      db.prefetchElements(ref, hashes, elements);
    }
  }
}
