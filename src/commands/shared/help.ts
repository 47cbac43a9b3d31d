/**
 * The HELP of containers: one line with the syntax and one with the summary of each subcommand, in Redis's layout. It
 * is derived from the specs and contains no special case for any command.
 */
import { fail, shownText } from "../../core/errors.ts";
import type { Call } from "../../dispatch/call.ts";

/** Handler of a HELP subcommand: describes the subcommands of its container. */
export function subcommandHelp(call: Call): void {
  const { spec } = call.command.parent!;
  const entries: [string, string][] = (spec.subcommands ?? [])
    .filter(({ name }) => name !== "help")
    .map(({ name, syntax, summary }) => [`${name.toUpperCase()} ${syntax}`.trimEnd(), summary] as [string, string])
    .sort(([a], [b]) => a < b ? -1 : 1);
  if (spec.handler !== undefined) entries.unshift(["(no subcommand)", spec.summary]);
  replyHelp(call, spec.name, entries);
}

/** Refuses a number of arguments that the running subcommand does not take. */
export function failWords(call: Call, container: string): never {
  const name = shownText(call.text(1));
  return fail(`ERR unknown subcommand or wrong number of arguments for '${name}'. Try ${container} HELP.`);
}

/** Replies with the help of a command from pairs of syntax and summary. */
export function replyHelp(call: Call, name: string, entries: readonly (readonly [string, string])[]): void {
  const { reply } = call;
  reply.array(1 + 2 * entries.length + 2);
  reply.simple(`${name.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
  for (const [syntax, summary] of [...entries, ["HELP", "Print this help."]]) {
    reply.simple(syntax);
    reply.simple(`    ${summary}`);
  }
}
