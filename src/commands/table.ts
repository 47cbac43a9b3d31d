/**
 * The array of all commands. A family is one file with one table; this file puts them together.
 */
import type { CommandSpec } from "./spec.ts";
import { stringCommands } from "./strings.ts";

export const commandTable: readonly CommandSpec[] = [
  ...stringCommands,
];
