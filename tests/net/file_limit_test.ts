import { assertEquals, assertThrows } from "@std/assert";
import { StartError } from "../../src/core/start_error.ts";
import { boundClients } from "../../src/net/file_limit.ts";
import { SettingChangeError, Settings } from "../../src/settings/settings.ts";

Deno.test("maxclients is bounded by the limit on open files, less those that the server needs", () => {
  const settings = new Settings();
  const lines: string[] = [];
  boundClients(settings, (line) => lines.push(line), 64);
  assertEquals(settings.values.maxclients, 32);
  assertEquals(lines, [
    "You requested maxclients of 10000 requiring at least 10032 max file descriptors.",
    "Current maximum open files is 64. maxclients has been reduced to 32 to compensate for low ulimit. If you need higher " +
    "maxclients increase 'ulimit -n'.",
  ]);
  // What was reduced is no wish of the user's.
  assertEquals(settings.rewrite(""), "");
  assertThrows(() => settings.change([["maxclients", "33"]], true), SettingChangeError, "try with 32");
  settings.change([["maxclients", "31"]], true);
});

Deno.test("a limit that leaves no room for clients stops the start; one that is high or unknown changes nothing", () => {
  const settings = new Settings();
  const silent = () => {
    throw new Error("nothing is to be said");
  };
  assertThrows(() => boundClients(settings, silent, 32), StartError, "Raise it to 33 at least, and to 10032 for 10000");
  boundClients(settings, silent, 10032);
  boundClients(settings, silent, undefined);
  assertEquals(settings.values.maxclients, 10000);
});
