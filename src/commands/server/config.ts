/**
 * CONFIG: reads and changes the settings of the running server, resets its statistics and rewrites its config file. The
 * settings with their rules and error texts belong to src/settings; this file owns the commands and their replies.
 */
import { fromUtf8, latin1, utf8 } from "../../core/bytes.ts";
import { fail, messages } from "../../core/errors.ts";
import { findSetting, SettingChangeError } from "../../settings/settings.ts";
import { rewriteConfigFile } from "../shared/config_rewrite.ts";
import type { Call } from "../../dispatch/call.ts";
import { subcommandHelp } from "../shared/help.ts";
import type { CommandSpec } from "../../dispatch/spec.ts";

const ADMIN = ["admin", "noscript", "loading", "stale"] as const;

export const configCommands: readonly CommandSpec[] = [
  {
    name: "config",
    summary: "Groups the commands that read and change the server's settings.",
    since: "2.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: [],
    syntax: "",
    subcommands: [
      {
        name: "get",
        summary: "Shows the settings whose names match one of the patterns.",
        since: "2.0.0",
        group: "server",
        complexity: "O(N) when N is the number of configuration parameters provided",
        arity: -3,
        flags: ADMIN,
        syntax: "parameter [parameter ...]",
        handler: configGet,
      },
      {
        name: "help",
        summary: "Lists the subcommands.",
        since: "5.0.0",
        group: "server",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        syntax: "",
        handler: subcommandHelp,
      },
      {
        name: "resetstat",
        summary: "Sets the statistics that INFO shows back to zero.",
        since: "2.0.0",
        group: "server",
        complexity: "O(1)",
        arity: 2,
        flags: ADMIN,
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        syntax: "",
        handler: configResetStat,
      },
      {
        name: "rewrite",
        summary: "Writes the settings in force to the config file.",
        since: "2.8.0",
        group: "server",
        complexity: "O(1)",
        arity: 2,
        flags: ADMIN,
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        syntax: "",
        handler: configRewrite,
      },
      {
        name: "set",
        summary: "Changes settings, all of those given or none.",
        since: "2.0.0",
        group: "server",
        complexity: "O(N) when N is the number of configuration parameters provided",
        arity: -4,
        flags: ADMIN,
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        syntax: "parameter value [parameter value ...]",
        handler: configSet,
      },
    ],
  },
];

/** Argument i as text. Settings are UTF-8, as in files and on the command line. */
function settingText(call: Call, i: number): string {
  return fromUtf8(call.arg(i));
}

function configGet(call: Call): void {
  const { settings } = call.engine;
  const found = new Map<string, [string, string]>();
  for (let i = 2; i < call.argc; i++) {
    const asked = settingText(call, i);
    if (/[*?[]/.test(asked)) {
      for (const pair of settings.match(asked)) {
        if (!found.has(pair[0])) found.set(pair[0], pair);
      }
    } else {
      // A name without wildcards is returned in the spelling of the client.
      const text = settings.get(asked);
      const key = asked.toLowerCase();
      if (text !== undefined && !found.has(key)) found.set(key, [asked, text]);
    }
  }
  call.reply.map(found.size);
  for (const [name, text] of found.values()) {
    call.reply.bulkText(name);
    call.reply.bulkText(text);
  }
}

function configSet(call: Call): void {
  if (call.argc % 2 !== 0) fail(messages.syntax);
  const pairs: [string, string][] = [];
  for (let i = 2; i < call.argc; i += 2) {
    const name = settingText(call, i);
    if (findSetting(name)?.secret) call.redact(i + 1);
    pairs.push([name, settingText(call, i + 1)]);
  }
  try {
    for (const line of call.engine.settings.change(pairs, call.session.local)) call.engine.log("warning", line);
  } catch (error) {
    if (!(error instanceof SettingChangeError)) throw error;
    fail("ERR " + latin1(utf8(error.message)));
  }
  call.reply.ok();
}

function configResetStat(call: Call): void {
  const { store } = call;
  call.engine.stats.reset();
  store.hits = store.misses = 0;
  store.expired = store.expiredFields = store.freedLater = 0;
  call.table.resetStats();
  call.reply.ok();
}

function configRewrite(call: Call): void {
  if (call.engine.configFile === "") fail("ERR The server is running without a config file");
  const reason = rewriteConfigFile(call, false);
  if (reason !== "") fail(`ERR Rewriting config file: ${latin1(utf8(reason))}`);
  call.reply.ok();
}
