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
  const { references, approximate } = trim;
  const before = streams.length;
  if (references !== References.KEEP) trimEachNode(streams, trim);
  else if (trimWholeNodes(streams, trim) && !approximate) trimFirstNode(streams, trim);
  const deleted = before - streams.length;
  if (deleted > 0) streams.findFirst();
  return deleted;
}

/** Deletes all nodes that may go as a whole. False if the limit is reached. */
function trimWholeNodes(streams: StreamValue, { length: kept, id, limit }: Trim): boolean {
  const { nodes, probe, nodeIndex: tree } = streams, { index } = nodes;
  const most = kept === undefined ? Infinity : streams.length - kept;
  if (kept === 0 && limit === 0 && endsWithLive(streams)) {
    streams.removeAll();
    return true;
  }
  // By id, the only node with entries on both sides; those before it are below.
  let edge = 0;
  if (kept === undefined) {
    index.seekTo(tree, id, 0);
    if (index.leaf === 0) return true;
    edge = index.ref;
  }
  let count = 0, entries = 0, limited = false;
  for (index.seekFirst(tree); index.leaf !== 0; index.step()) {
    const node = index.ref, live = nodes.live(node);
    limited = limit > 0 && entries + live > limit;
    // As in Redis, a node without a live entry stays if the length is right without it.
    if (limited || entries >= most || entries + live > most) break;
    if (node === edge) {
      probe.lastOf(node);
      if (compareIds(probe.id, 0, id, 0) >= 0) break;
    }
    count++;
    entries += live;
    if (node === edge) break;
  }
  if (count > 0 && count === index.count(tree)) streams.removeAll();
  else if (count > 0) streams.removeFirst(count, entries);
  return !limited;
}

/** Whether the last node has an entry that is not deleted. */
function endsWithLive({ nodes, nodeIndex }: StreamValue): boolean {
  nodes.index.seekLast(nodeIndex);
  return nodes.index.leaf !== 0 && nodes.live(nodes.index.ref) > 0;
}

/** Deletes entries of the first node. */
function trimFirstNode(streams: StreamValue, trim: Trim): void {
  const { nodes, nodeIndex: tree } = streams, { index } = nodes;
  index.seekFirst(tree);
  if (index.leaf === 0) return;
  const gone = trimNode(streams, trim, false);
  if (gone > 0) nodes.countDeleted(index.ref, gone);
}

/** Deletes entries one by one, because groups may have each of them pending. */
function trimEachNode(streams: StreamValue, trim: Trim): void {
  const { nodes, probe, nodeIndex: tree } = streams, { index } = nodes;
  const { length: kept, id, limit, references } = trim;
  const hasGroups = references === References.ACKED && streams.findSmallestRead();
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
    const gone = trimNode(streams, trim, hasGroups);
    deleted += gone;
    probe.firstOf(node);
    nodeId.set(probe.id);
    if (whole && gone === entries) nodes.remove(tree, node);
    else if (gone > 0) nodes.countDeleted(node, gone);
    if (!whole) break;
    index.seekFrom(tree, nodeId, 0, true);
  }
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
