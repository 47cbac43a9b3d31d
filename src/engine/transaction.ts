/**
 * The requests that a session has queued between MULTI and EXEC.
 */
import type { Request } from "../resp/request.ts";

export class Transaction {
  readonly requests: Request[] = [];
  /** Bytes of the requests. */
  bytes = 0;
  /** The flag bits (registry.ts) of all queued commands, combined. */
  bits = 0;
  /** A command was refused, so EXEC will run none. */
  failed = false;

  /** Queues a copy of a request. */
  add(request: Request, bits: number): void {
    const copy = request.clone();
    this.requests.push(copy);
    this.bytes += copy.bytes.length;
    this.bits |= bits;
  }
}
