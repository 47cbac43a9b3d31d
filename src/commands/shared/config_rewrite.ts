/** Writes the settings in force into the config file, for CONFIG REWRITE and DEBUG. It owns no command. */
import { reasonOf } from "../../core/io_error.ts";
import { userEntry } from "../../access/load.ts";
import type { Call } from "../../dispatch/call.ts";
import { readIfThere, replaceFile } from "../../settings/config_file.ts";

/** Rewrites the config file; `all` includes defaults. Returns the reason of a failure, or "". */
export function rewriteConfigFile({ engine }: Call, all: boolean): string {
  const { configFile, settings } = engine;
  if (configFile === "") return "Invalid argument";
  try {
    replaceFile(configFile, settings.rewrite(readIfThere(configFile) ?? "", all, [userEntry(engine)]));
  } catch (error) {
    const reason = reasonOf(error);
    engine.log("warning", `CONFIG REWRITE failed: ${configFile}: ${reason}`);
    return reason;
  }
  engine.log("notice", `CONFIG REWRITE wrote ${configFile}`);
  return "";
}
