/**
 * Effects on a stream of which a rewrite has written a part: the commands that the new file gets for them.
 *
 * First the rewrite writes entries in the order of their ids. Meanwhile the new file skips effects that add entries or
 * change groups, because the rest of the stream follows later, and repeats trimming at the end. Then the rewrite writes
 * groups in the order of their names. Meanwhile the new file gets all changes of entries.
 */
import { compareBytes, equalsWord, utf8 } from "../core/bytes.ts";
import { IdForm, IdOption, newId, parseId } from "../core/stream_id.ts";
import type { Command } from "../dispatch/registry.ts";
import { Request } from "../resp/request.ts";
import type { StreamWalk } from "../store/values/streams/emit.ts";
import type { StreamValue } from "../store/values/streams/stream_value.ts";

/** The commands for an effect on the stream at hand; undefined if it must be written anew. */
export function streamEffects(
  walk: StreamWalk,
  streams: StreamValue,
  { fullName }: Command,
  request: Request,
): readonly Request[] | undefined {
  const { entriesDone } = walk;
  switch (fullName) {
    case "xadd":
    case "xtrim":
      // Which entries are acknowledged depends on groups that are not in the file yet.
      if (has(request, "acked")) return undefined;
      return entriesDone ? [request] : [];
    case "xdel":
      return [request];
    case "xdelex":
      return has(request, "acked") ? removals(streams, request) : [request];
    case "xackdel":
      if (entriesDone && has(request, "delref")) return undefined;
      return [...entriesDone ? [acknowledgement(request)] : [], ...removals(streams, request)];
    case "xack":
    case "xsetid":
      return entriesDone ? [request] : [];
    case "xclaim":
      return isWritten(walk, request, 2) ? [request] : [];
    case "xgroup|create":
    case "xgroup|setid":
    case "xgroup|destroy":
    case "xgroup|createconsumer":
    case "xgroup|delconsumer":
      return isWritten(walk, request, 3) ? [request] : [];
    case "xcfgset":
    case "xidmprecord":
      return [];
  }
  return undefined;
}

/** Whether the group in argument i is in the file, in full or in part. */
function isWritten({ group, groupsDone }: StreamWalk, { bytes, start, end }: Request, i: number): boolean {
  if (groupsDone) return true;
  return group !== undefined && compareBytes(bytes, start[i], end[i], group, 0, group.length) <= 0;
}

function has({ argc, bytes, start, end }: Request, word: string): boolean {
  for (let i = 2; i < argc; i++) if (equalsWord(bytes, start[i], end[i], word)) return true;
  return false;
}

/** The arguments behind IDS and their number. */
function idsOf(request: Request): Uint8Array[] {
  const { argc, bytes, start, end } = request;
  let i = 2;
  while (!equalsWord(bytes, start[i], end[i], "ids")) i++;
  const ids: Uint8Array[] = [];
  for (i += 2; i < argc; i++) {
    const id = newId();
    if (parseId(bytes, start[i], end[i], id, IdOption.NONE) === IdForm.WHOLE) ids.push(bytes.slice(start[i], end[i]));
  }
  return ids;
}

/** An XACK of the ids of an XACKDEL. */
function acknowledgement(request: Request): Request {
  return Request.of([utf8("XACK"), argument(request, 1), argument(request, 2), ...idsOf(request)]);
}

/** An XDEL of the ids that the stream no longer has. */
function removals(streams: StreamValue, request: Request): Request[] {
  const id = newId();
  const gone = idsOf(request).filter((text) => {
    parseId(text, 0, text.length, id, IdOption.NONE);
    return !streams.hasEntry(id);
  });
  return gone.length === 0 ? [] : [Request.of([utf8("XDEL"), argument(request, 1), ...gone])];
}

function argument({ bytes, start, end }: Request, i: number): Uint8Array {
  return bytes.slice(start[i], end[i]);
}
