/**
 * INFO: statistics of the server with the sections and names of Redis, because tools parse them. A field about a part
 * that MemDB does not have (replicas, forks, modules) has the value that it has in a Redis that does not use this
 * part. A field whose value MemDB cannot know is left out. Two fields are MemDB's own: memdb_version and
 * memdb_deno_version.
 */
import type { Personality } from "../../core/personality.ts";
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
import { asInValkey, engineFields, tlsFields } from "./info_valkey.ts";
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
  differs: ["Sections and fields differ: each server has some of its own, and some under names of its own."],
}];

interface Section {
  readonly title: string;
  readonly fields: (call: Call) => Field[];
  /** Shown only on request, or by "all" and "everything". */
  readonly onRequest?: boolean;
  /** The one server that has the section. */
  readonly only?: Personality;
}

/** In the order of printing. Requests match titles in any case. */
const SECTIONS: readonly Section[] = [
  { title: "Server", fields: serverFields },
  { title: "TLS", fields: tlsFields, only: "valkey", onRequest: true },
  { title: "Clients", fields: clientFields },
  { title: "Memory", fields: memoryFields },
  { title: "Persistence", fields: persistenceFields },
  { title: "Threads", fields: threadFields, only: "redis" },
  { title: "Stats", fields: statsFields },
  { title: "Replication", fields: replicationFields },
  { title: "CPU", fields: cpuFields },
  { title: "Hotkeys", fields: hotKeysFields, only: "redis" },
  { title: "Modules", fields: () => [] },
  { title: "Commandstats", fields: commandFields, onRequest: true },
  { title: "Errorstats", fields: errorFields },
  { title: "Latencystats", fields: latencyFields, onRequest: true },
  { title: "Cluster", fields: () => [["cluster_enabled", 0]] },
  { title: "Cluster Info", fields: () => [], only: "valkey", onRequest: true },
  { title: "Scripting Engines", fields: engineFields, only: "valkey", onRequest: true },
  { title: "Keyspace", fields: keyspaceFields },
  { title: "Keysizes", fields: keySizeFields, only: "redis" },
];

/** The sections of the personality that are shown by default, or all. */
function sectionsOf({ engine }: Call, all: boolean): readonly Section[] {
  const { personality } = engine.identity;
  return SECTIONS.filter(({ onRequest, only }) => (all || !onRequest) && (only ?? personality) === personality);
}

/** The sections named by arguments 1 and following; unknown names are ignored. */
function sectionsAsked(call: Call): readonly Section[] {
  const byDefault = sectionsOf(call, false), every = sectionsOf(call, true);
  if (call.argc === 1) return byDefault;
  const asked = new Set<Section>();
  for (let i = 1; i < call.argc; i++) {
    const name = call.text(i).toLowerCase();
    if (name === "all" || name === "everything") return every;
    const found = name === "default"
      ? byDefault
      : every.filter(({ title }) => title.toLowerCase().replaceAll(" ", "") === name.replaceAll("_", ""));
    for (const section of found) asked.add(section);
  }
  return every.filter((section) => asked.has(section));
}

function info(call: Call): void {
  call.reply.verbatim("txt", infoText(call, sectionsAsked(call)));
}

/** The text of sections, all that are shown by default unless given. */
export function infoText(call: Call, sections = sectionsOf(call, false)): string {
  const texts = sections.map(({ title, fields }) => {
    const shown = call.valkey ? asInValkey(call, fields(call)) : fields(call);
    const lines = shown.map(([name, value]) => `${name}:${value}\r\n`);
    return `# ${title}\r\n${lines.join("")}`;
  });
  return texts.join("\r\n");
}
