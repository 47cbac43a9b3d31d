/**
 * An engine without a server, with the default settings unless others are given, for the subcommands that work on
 * files.
 */
import { systemClock } from "../core/clock.ts";
import { systemRandom } from "../core/random.ts";
import { Executor } from "../dispatch/executor.ts";
import { commandTable } from "../commands/table.ts";
import { Engine } from "../engine/engine.ts";
import { Settings } from "../settings/settings.ts";
import { Functions } from "../scripting/functions.ts";
import { createStore } from "../engine/create_store.ts";

export function createDetachedEngine(settings: Settings = new Settings()): { engine: Engine; executor: Executor } {
  const random = systemRandom();
  const engine = new Engine(createStore(settings, random), settings, systemClock, random);
  // Files hold the libraries of functions.
  engine.part(Functions);
  return { engine, executor: new Executor(engine, commandTable) };
}
