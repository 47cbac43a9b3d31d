/**
 * Trimming: deleting entries from the head of a stream, whole nodes where that does, and the entries of one node
 * otherwise.
 */
import { compareIds, newId, type StreamId } from "../../../core/stream_id.ts";
import type { StreamValue } from "./stream_value.ts";

/**
 * What becomes of an entry that is pending in a group. KEEP: it is deleted and stays pending. DROP: it is deleted, and
 * no longer pending in any group. ACKED: it is not deleted, nor is one that a group has still to read.
 */
export const References = { KEEP: 0, DROP: 1, ACKED: 2 } as const;
export type References = typeof References[keyof typeof References];

export interface Trim {
  /** The number of entries to keep; undefined to go by id. */
  readonly length: number | undefined;
  /** The smallest id to keep. */
  readonly id: StreamId;
  /** Only whole nodes are deleted, with KEEP. */
  readonly approximate: boolean;
  /** The most entries to delete; 0 for no limit. */
  readonly limit: number;
  readonly references: References;
}

const nodeId = newId();

/** Trims the stream at hand and returns the number of deleted entries. */
export function trimStream(streams: StreamValue, trim: Trim): number {
  const { nodes, probe } = streams, { index } = nodes;
  const { length: kept, id, approximate, limit, references } = trim;
  if (kept === 0 && limit === 0 && references === References.KEEP) {
    const all = streams.length;
    if (all > 0) streams.removeAll();
    return all;
  }
  const hasGroups = references === References.ACKED && streams.findSmallestRead();
  const tree = streams.nodeIndex;
  let deleted = 0;
  for (index.seekFirst(tree); index.leaf !== 0;) {
    if (kept !== undefined && streams.length <= kept) break;
    const node = index.ref, entries = nodes.live(node);
    if (limit > 0 && deleted + entries > limit) break;
    let whole: boolean;
    if (kept !== undefined) {
      whole = streams.length - entries >= kept;
    } else {
      probe.lastOf(node);
      whole = compareIds(probe.id, 0, id, 0) < 0;
    }
    if (whole && references === References.KEEP) {
      nodes.remove(tree, node);
      streams.length -= entries;
      deleted += entries;
      index.seekFirst(tree);
      continue;
    }
    if (approximate && references === References.KEEP) break;
    const gone = trimNode(streams, trim, hasGroups);
    deleted += gone;
    probe.firstOf(node);
    nodeId.set(probe.id);
    if (whole && gone === entries) nodes.remove(tree, node);
    else if (gone > 0) nodes.countDeleted(node, gone);
    if (!whole) break;
    index.seekFrom(tree, nodeId, 0, true);
  }
  if (deleted > 0) streams.findFirst();
  return deleted;
}

/** Marks entries of the node under the index's cursor as deleted, and returns how many. */
function trimNode(streams: StreamValue, { length: kept, id, references }: Trim, hasGroups: boolean): number {
  const { nodes, probe } = streams;
  let gone = 0;
  probe.firstOf(nodes.index.ref);
  do {
    if (kept !== undefined ? streams.length <= kept : compareIds(probe.id, 0, id, 0) >= 0) break;
    if (probe.deleted) continue;
    if (references === References.DROP) streams.dropReferences(probe.id);
    else if (references === References.ACKED && hasGroups && streams.isReferenced(probe.id)) continue;
    nodes.markDeleted(probe.block, probe.position);
    streams.length--;
    gone++;
  } while (probe.nextInNode());
  return gone;
}
