/**
 * INFO: statistics of the server with the sections and names of Redis, because tools parse them. A field about a part
 * that MemDB does not have (replicas, forks, modules) has the value that it has in a Redis that does not use this
 * part. A field whose value MemDB cannot know is left out. Two fields are MemDB's own: memdb_version and
 * memdb_deno_version.
 */
import type { Call } from "../../dispatch/call.ts";
import { clientFields, persistenceFields, replicationFields, serverFields } from "./info_server.ts";
import {
  commandFields,
  cpuFields,
  errorFields,
  type Field,
  hotKeysFields,
  keySizeFields,
  keyspaceFields,
  latencyFields,
  memoryFields,
  statsFields,
  threadFields,
} from "./info_stats.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";

export const infoCommands: readonly CommandSpec[] = [{
  name: "info",
  summary: "Returns the server's state and statistics as text.",
  since: "1.0.0",
  group: "server",
  complexity: "O(1)",
  arity: -1,
  flags: ["loading", "stale"],
  categories: ["dangerous"],
  tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
  syntax: "[section [section ...]]",
  handler: info,
}];

interface Section {
  readonly title: string;
  readonly fields: (call: Call) => Field[];
  /** Shown only on request, or by "all" and "everything". */
  readonly onRequest?: boolean;
}

/** In the order of printing. Requests match titles in any case. */
const SECTIONS: readonly Section[] = [
  { title: "Server", fields: serverFields },
  { title: "Clients", fields: clientFields },
  { title: "Memory", fields: memoryFields },
  { title: "Persistence", fields: persistenceFields },
  { title: "Threads", fields: threadFields },
  { title: "Stats", fields: statsFields },
  { title: "Replication", fields: replicationFields },
  { title: "CPU", fields: cpuFields },
  { title: "Hotkeys", fields: hotKeysFields },
  { title: "Modules", fields: () => [] },
  { title: "Commandstats", fields: commandFields, onRequest: true },
  { title: "Errorstats", fields: errorFields },
  { title: "Latencystats", fields: latencyFields, onRequest: true },
  { title: "Cluster", fields: () => [["cluster_enabled", 0]] },
  { title: "Keyspace", fields: keyspaceFields },
  { title: "Keysizes", fields: keySizeFields },
];

/** The sections named by arguments 1 and following; unknown names are ignored. */
function sectionsAsked(call: Call): readonly Section[] {
  const byDefault = SECTIONS.filter(({ onRequest }) => !onRequest);
  if (call.argc === 1) return byDefault;
  const asked = new Set<Section>();
  for (let i = 1; i < call.argc; i++) {
    const name = call.text(i).toLowerCase();
    if (name === "all" || name === "everything") return SECTIONS;
    const found = name === "default" ? byDefault : SECTIONS.filter(({ title }) => title.toLowerCase() === name);
    for (const section of found) asked.add(section);
  }
  return SECTIONS.filter((section) => asked.has(section));
}

function info(call: Call): void {
  call.reply.verbatim("txt", infoText(call, sectionsAsked(call)));
}

/** The text of sections, all that are shown by default unless given. */
export function infoText(
  call: Call,
  sections: readonly Section[] = SECTIONS.filter(({ onRequest }) => !onRequest),
): string {
  const texts = sections.map(({ title, fields }) => {
    const lines = fields(call).map(([name, value]) => `${name}:${value}\r\n`);
    return `# ${title}\r\n${lines.join("")}`;
  });
  return texts.join("\r\n");
}
