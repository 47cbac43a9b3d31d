/** The shape of a subcommand of DEBUG, and how its numbers are read. It owns no command. */
import type { Call } from "../../dispatch/call.ts";

export interface DebugSubcommand {
  readonly name: string;
  /** Least and most number of arguments, DEBUG and the name included. */
  readonly argc: readonly [number, number];
  readonly syntax: string;
  readonly summary: string;
  readonly run: (call: Call) => void;
}

/** Argument i as C's atoi reads it: as far as digits go, 0 if there are none. */
export function looseInteger(call: Call, i: number): number {
  return parseInt(call.text(i), 10) || 0;
}

/** Whether argument i is a number other than 0. */
export function isOn(call: Call, i: number): boolean {
  return looseInteger(call, i) !== 0;
}
