/**
 * Finds the end of a RESP reply, for test clients that keep replies as bytes. It parses frames, not their meaning.
 */
const CR = 13;

/** Index after the reply that begins at `at`, or -1 if the reply is incomplete. */
export function replyEnd(bytes: Uint8Array, at: number): number {
  const line = bytes.indexOf(CR, at);
  if (line < 0 || line + 1 >= bytes.length) return -1;
  const mark = String.fromCharCode(bytes[at]);
  const behind = line + 2;
  if ("+-:,#_(".includes(mark)) return behind;
  const count = Number(String.fromCharCode(...bytes.subarray(at + 1, line)));
  if (count < 0) return behind;
  if ("$=!".includes(mark)) return behind + count + 2 <= bytes.length ? behind + count + 2 : -1;
  if (mark === "|") {
    const attributes = replies(bytes, behind, count * 2);
    return attributes < 0 ? -1 : replyEnd(bytes, attributes);
  }
  if (mark === "%") return replies(bytes, behind, count * 2);
  if ("*~>".includes(mark)) return replies(bytes, behind, count);
  throw new Error(`no reply begins with ${JSON.stringify(mark)}`);
}

function replies(bytes: Uint8Array, at: number, count: number): number {
  for (let i = 0; i < count && at >= 0; i++) at = replyEnd(bytes, at);
  return at;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
