/** The type of a subcommand of DEBUG, and the parsers of its numbers. */
import type { Call } from "../../dispatch/call.ts";

export interface DebugSubcommand {
  readonly name: string;
  /** Minimum and maximum number of arguments, DEBUG and the subcommand's name included. */
  readonly argc: readonly [number, number];
  readonly syntax: string;
  readonly summary: string;
  readonly run: (call: Call) => void;
}

/** Parses argument i as C's atoi does: up to the first character that is no digit, 0 if there is no digit. */
export function looseInteger(call: Call, i: number): number {
  return parseInt(call.text(i), 10) || 0;
}

/** Whether argument i is a number other than 0. */
export function isOn(call: Call, i: number): boolean {
  return looseInteger(call, i) !== 0;
}
