/**
 * LATENCY: the events of the latency monitor, and the histograms of the durations of commands.
 */
import { fail } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";
import type { Command } from "../../dispatch/registry.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";
import type { LatencySeries } from "../../engine/latency.ts";
import { subcommandHelp } from "../shared/help.ts";
import { latencyReport } from "./latency_report.ts";
import { sparkline } from "./sparkline.ts";

/** Fields that all subcommands share. */
const COMMON = {
  group: "server",
  since: "2.8.13",
  complexity: "O(1)",
  flags: ["admin", "noscript", "loading", "stale"],
  tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
  syntax: "",
  arity: 2,
} as const;

export const latencyCommands: readonly CommandSpec[] = [{
  name: "latency",
  summary: "A container for commands about latencies.",
  since: "2.8.13",
  group: "server",
  complexity: "Depends on subcommand.",
  arity: -2,
  flags: [],
  syntax: "",
  subcommands: [
    {
      ...COMMON,
      name: "doctor",
      summary: "Returns a report about the latencies, with advice.",
      handler: ({ engine, reply }) => reply.verbatim("txt", latencyReport(engine)),
    },
    {
      ...COMMON,
      name: "graph",
      summary: "Draws the latencies of an event.",
      arity: 3,
      syntax: "event",
      handler: graph,
    },
    {
      ...COMMON,
      name: "help",
      summary: "Describes the subcommands.",
      flags: ["loading", "stale"],
      tips: [],
      handler: subcommandHelp,
    },
    {
      ...COMMON,
      name: "histogram",
      summary: "Returns how the durations of commands are distributed.",
      since: "7.0.0",
      complexity: "O(N) where N is the number of commands that are shown",
      arity: -2,
      syntax: "[command [command ...]]",
      handler: histogram,
    },
    {
      ...COMMON,
      name: "history",
      summary: "Returns the times and latencies of an event.",
      arity: 3,
      syntax: "event",
      handler: history,
    },
    {
      ...COMMON,
      name: "latest",
      summary: "Returns the latest and the highest latency of each event.",
      handler: latest,
    },
    {
      ...COMMON,
      name: "reset",
      summary: "Forgets the latencies of some events, or of all.",
      arity: -2,
      tips: ["request_policy:all_nodes", "response_policy:agg_sum"],
      syntax: "[event [event ...]]",
      handler: reset,
    },
  ],
}];

function latest({ engine: { latency }, reply }: Call): void {
  reply.array(latency.events.size);
  for (const [event, { samples, maxMs }] of latency.events) {
    const last = samples.at(-1)!;
    reply.array(4);
    reply.bulkText(event);
    reply.integer(last.timeSeconds);
    reply.integer(last.ms);
    reply.integer(maxMs);
  }
}

function history(call: Call): void {
  const { engine, reply } = call;
  const samples = engine.latency.events.get(call.text(2))?.samples ?? [];
  reply.array(samples.length);
  for (const { timeSeconds, ms } of samples) {
    reply.array(2);
    reply.integer(timeSeconds);
    reply.integer(ms);
  }
}

function reset(call: Call): void {
  const { argc, engine: { latency }, reply } = call;
  let count = argc === 2 ? latency.reset() : 0;
  for (let i = 2; i < argc; i++) count += latency.reset(call.text(i));
  reply.integer(count);
}

function graph(call: Call): void {
  const { engine, reply } = call, event = call.text(2);
  const series = engine.latency.events.get(event);
  if (series === undefined) return fail(`ERR No samples available for event '${event}'`);
  reply.verbatim("txt", graphText(event, series, Math.floor(engine.clock.nowMs() / 1000)));
}

const GRAPH_COLUMNS = 80;

function graphText(event: string, { samples, maxMs }: LatencySeries, nowSeconds: number): string {
  const values = samples.map(({ ms }) => ms), high = Math.max(...values), low = Math.min(...values);
  const labels = samples.map(({ timeSeconds }) => ageText(nowSeconds - timeSeconds));
  return `${event} - high ${high} ms, low ${low} ms (all time high ${maxMs} ms)\n${"-".repeat(GRAPH_COLUMNS)}\n` +
    sparkline(values, labels, GRAPH_COLUMNS);
}

/** A duration in its largest unit: 5s, 3m, 2h, 1d. */
function ageText(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

/** The commands named by an argument; the name of a container stands for all of its subcommands. */
function commandsOf(call: Call, i: number): readonly Command[] {
  const command = call.table.named(call.text(i));
  if (command === undefined) return [];
  return command.subcommands.length > 0 ? [command, ...command.subcommands] : [command];
}

function histogram(call: Call): void {
  const { argc, reply, table } = call;
  const asked = argc === 2
    ? [...table.all()]
    : Array.from({ length: argc - 2 }, (_, k) => commandsOf(call, k + 2)).flat();
  const shown = asked.filter(({ stats }) => stats.latency.total > 0);
  reply.map(shown.length);
  for (const { fullName, stats } of shown) {
    reply.bulkText(fullName);
    reply.map(2);
    reply.bulkText("calls");
    reply.integer(stats.latency.total);
    reply.bulkText("histogram_usec");
    const steps = stats.latency.cumulative();
    reply.map(steps.length);
    for (const { us, count } of steps) {
      reply.integer(us);
      reply.integer(count);
    }
  }
}
