/**
 * MEMORY: memory of keys and of the server, from the allocator's own statistics. It frees only memory of values
 * already deleted.
 */
import { fail, messages } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";
import { subcommandHelp } from "../shared/help.ts";
import { type MemoryReport, memoryReport, ratio } from "./memory_report.ts";
import { type CommandSpec, keyAt } from "../../dispatch/spec.ts";

const COMMON = { group: "server", since: "4.0.0", flags: [], syntax: "", arity: 2 } as const;
const OF_EACH_SHARD = ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

export const memoryCommands: readonly CommandSpec[] = [{
  ...COMMON,
  name: "memory",
  summary: "A container for commands about memory.",
  complexity: "Depends on subcommand.",
  arity: -2,
  subcommands: [
    {
      ...COMMON,
      name: "doctor",
      summary: "Says in words whether memory is in good order.",
      complexity: "O(1)",
      tips: OF_EACH_SHARD,
      handler: doctor,
    },
    {
      ...COMMON,
      name: "help",
      summary: "Describes the subcommands.",
      complexity: "O(1)",
      flags: ["loading", "stale"],
      handler: subcommandHelp,
    },
    {
      ...COMMON,
      name: "malloc-stats",
      summary: "Returns the allocator's figures as text.",
      complexity: "O(1)",
      tips: OF_EACH_SHARD,
      valkey: { flags: ["loading"] },
      handler: mallocStats,
    },
    {
      ...COMMON,
      name: "purge",
      summary: "Frees the memory of deleted values at once.",
      complexity: "O(N) where N is the number of blocks that wait to be freed",
      tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
      valkey: { flags: ["loading"] },
      handler: purge,
    },
    {
      ...COMMON,
      name: "stats",
      summary: "Returns the server's memory in figures.",
      complexity: "O(N) where N is the number of connections",
      tips: OF_EACH_SHARD,
      handler: stats,
    },
    {
      ...COMMON,
      name: "usage",
      summary: "Returns the bytes that a key and its value take.",
      complexity: "O(N) where N is the number of samples",
      arity: -3,
      flags: ["readonly"],
      keys: keyAt(2, "RO"),
      syntax: "key [SAMPLES count]",
      handler: usage,
    },
  ],
}];

const SAMPLES = 5;
/** A key's position in the dictionary: hash and ref. */
const SLOT_BYTES = 8;

function usage(call: Call): void {
  const { argc, bytes, db, reply } = call;
  let samples = SAMPLES;
  for (let i = 3; i < argc; i += 2) {
    if (!call.is(i, "samples") || i + 1 >= argc) fail(messages.syntax);
    samples = call.integerIn(i + 1, 0, Infinity, messages.syntax);
  }
  const ref = db.find(bytes, call.start(2), call.end(2));
  if (ref === 0) reply.null();
  else reply.integer(db.sizeBytes(ref, samples) + SLOT_BYTES);
}

function stats({ engine, reply }: Call): void {
  const report = memoryReport(engine);
  const { usedBytes, allocatedBytes, reservedBytes, residentBytes, peakBytes, startBytes } = report;
  const { datasetBytes, keyCount } = report;
  const before: [string, number][] = [
    ["peak.allocated", peakBytes],
    ["total.allocated", usedBytes],
    ["startup.allocated", startBytes],
    ["replication.backlog", 0],
    ["replica.fullsync.buffer", 0],
    ["clients.slaves", engine.clientMemory.byKind.replica],
    ["clients.normal", report.clientBytes],
    ["cluster.links", 0],
    ["aof.buffer", engine.persistence.pendingBytes],
    ["lua.caches", 0],
    ["functions.caches", 0],
    ["script.VMs", 0],
  ];
  const dictBytes = report.databases.reduce((sum, { keysBytes, expiresBytes }) => sum + keysBytes + expiresBytes, 0);
  const after: [string, number][] = [
    ["overhead.db.hashtable.lut", dictBytes],
    ["overhead.db.hashtable.rehashing", 0],
    ["overhead.total", report.overheadBytes],
    ["db.dict.rehashing.count", 0],
    ["keys.count", keyCount],
    ["keys.bytes-per-key", keyCount === 0 ? 0 : Math.floor((usedBytes - startBytes) / keyCount)],
    ["dataset.bytes", datasetBytes],
  ];
  const ratios: [string, number, "ratio" | "bytes"][] = [
    ["dataset.percentage", 100 * ratio(datasetBytes, usedBytes - startBytes), "ratio"],
    ["peak.percentage", 100 * ratio(usedBytes, peakBytes), "ratio"],
    ["allocator.allocated", allocatedBytes, "bytes"],
    ["allocator.active", reservedBytes, "bytes"],
    ["allocator.resident", reservedBytes, "bytes"],
    ["allocator.muzzy", 0, "bytes"],
    ["allocator-fragmentation.ratio", ratio(reservedBytes, allocatedBytes), "ratio"],
    ["allocator-fragmentation.bytes", reservedBytes - allocatedBytes, "bytes"],
    ["allocator-rss.ratio", 1, "ratio"],
    ["allocator-rss.bytes", 0, "bytes"],
    ["rss-overhead.ratio", ratio(residentBytes, reservedBytes), "ratio"],
    ["rss-overhead.bytes", residentBytes - reservedBytes, "bytes"],
    ["fragmentation", ratio(residentBytes, usedBytes), "ratio"],
    ["fragmentation.bytes", residentBytes - usedBytes, "bytes"],
  ];
  reply.map(before.length + report.databases.length + after.length + ratios.length);
  const put = ([name, value]: [string, number]) => {
    reply.bulkText(name);
    reply.integer(value);
  };
  before.forEach(put);
  for (const { index, keysBytes, expiresBytes } of report.databases) {
    reply.bulkText(`db.${index}`);
    reply.map(2);
    put(["overhead.hashtable.main", keysBytes]);
    put(["overhead.hashtable.expires", expiresBytes]);
  }
  after.forEach(put);
  for (const [name, value, kind] of ratios) {
    reply.bulkText(name);
    if (kind === "ratio") reply.double(value);
    else reply.integer(value);
  }
}

function mallocStats({ engine, reply }: Call): void {
  const { usedBytes, reservedBytes, chunkCount, blockCount } = engine.store.arena.stats();
  const text = [
    `blocks in use: ${blockCount}`,
    `bytes in use, rounded up to block sizes: ${usedBytes}`,
    `bytes reserved: ${reservedBytes}`,
    `chunks: ${chunkCount}`,
    `share in use: ${(100 * ratio(usedBytes, reservedBytes)).toFixed(2)} %`,
  ];
  reply.verbatim("txt", text.join("\n") + "\n");
}

function purge({ reply, store }: Call): void {
  while (store.garbagePending) store.reclaim(1 << 16);
  reply.ok();
}

const MIB = 1024 * 1024;
/** Below this size the figures describe the runtime rather than the data. */
const TELLING_BYTES = 5 * MIB;
/** Some chunks of the allocator: free memory below this is not reported as a problem. */
const SPARE_BYTES = 64 * MIB;
/** Average memory per connection above which MEMORY DOCTOR reports a problem. */
const BIG_CLIENT_BYTES = 200 * 1024;

function findings(report: MemoryReport, clients: number, maxBytes: number): string[] {
  const { usedBytes, allocatedBytes, reservedBytes, peakBytes, clientBytes } = report;
  const found: string[] = [];
  if (ratio(peakBytes, usedBytes) > 1.5) {
    found.push(
      `Peak: at its highest the data took ${peakBytes} bytes, ${
        ratio(peakBytes, usedBytes).toFixed(1)
      } times what it ` +
        "takes now. The process may stay larger than the data until the system wants memory back.",
    );
  }
  if (ratio(reservedBytes, allocatedBytes) > 1.4 && reservedBytes - allocatedBytes > SPARE_BYTES) {
    found.push(
      `Fragmentation: ${
        reservedBytes - allocatedBytes
      } of ${reservedBytes} reserved bytes are free blocks between used ` +
        "ones. New keys of similar sizes will fill them.",
    );
  }
  if (clients > 0 && clientBytes / clients > BIG_CLIENT_BYTES) {
    found.push(
      `Clients: connections hold ${Math.floor(clientBytes / clients)} bytes each on average. Look in CLIENT LIST for ` +
        "those that do not read their replies (omem) or send very large requests (qbuf).",
    );
  }
  if (maxBytes > 0 && usedBytes > 0.9 * maxBytes) {
    found.push(`Limit: ${Math.floor((100 * usedBytes) / maxBytes)} % of maxmemory is in use.`);
  }
  return found;
}

function doctor({ engine, reply }: Call): void {
  const report = memoryReport(engine);
  if (report.peakBytes < TELLING_BYTES) {
    return reply.verbatim("txt", "There is too little data to say anything about its memory.\n");
  }
  const found = findings(report, engine.sessions.size, engine.settings.values.maxmemory);
  const text = found.length === 0 ? "Memory is in good order.\n" : found.map((line) => ` * ${line}\n`).join("\n");
  reply.verbatim("txt", text);
}
