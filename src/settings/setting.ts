/**
 * The shape of a setting's entry in the tables, and the words that declare one. It holds no setting and no value.
 *
 * A setting is in one of three states. Most have their effect. An `idle` one tunes work that MemDB does not have: any
 * value is kept and shown, and the log says once that it has no effect. A `fixed` one would change which data is kept
 * or who gets in, in a way that MemDB does not offer: every value but the default is refused, with the reason.
 */
import type { Personality } from "../core/personality.ts";
import type { Kind } from "./kinds.ts";

export interface SettingTraits {
  /** A second name that means the same: an older one, or a shorter. */
  readonly alias?: string;
  /** Valkey's name of it, which patterns of CONFIG GET show under Valkey's personality alone. */
  readonly valkeyName?: string;
  /** The default under Valkey's personality, where it is another. */
  readonly valkeyInitial?: string;
  /** The one server that has it. Patterns of CONFIG GET do not show it under the other's personality. */
  readonly only?: Personality;
  /**
   * When it may change while the server runs: at any time unless given; "start" never, not even to the same value, as
   * Redis has it; "kept" never, but its own value is accepted; "listener" if a part of the server listens for it,
   * because the value alone changes nothing.
   */
  readonly change?: "start" | "kept" | "listener";
  /** Changes only as enable-protected-configs allows. */
  readonly guarded?: true;
  /** CONFIG GET shows it by its name, but not by a pattern: it serves tests alone. */
  readonly hidden?: true;
  /** Its value is not shown in logs, the slow log or MONITOR. */
  readonly secret?: true;
  /** The reason why it has no effect. */
  readonly idle?: string;
  /** Idle, but a client that sets it expects the effect: CONFIG SET refuses it. A line of a config file only warns. */
  readonly awaited?: true;
  /** The reason why only the default is accepted. */
  readonly fixed?: string;
  /** The default that help shows, if the value alone is misleading. */
  readonly defaultNote?: string;
}

export interface Setting<N extends string = string, V = unknown> extends SettingTraits {
  readonly name: N;
  readonly kind: Kind<V>;
  /** As in a config file; of a kind of many words the words with single spaces. */
  readonly initial: string;
  readonly meaning: string;
}

/** Settings that belong together in help. */
export interface Section<S extends readonly Setting[] = readonly Setting[]> {
  readonly title: string;
  readonly settings: S;
}

export function setting<const N extends string, V>(
  name: N,
  kind: Kind<V>,
  initial: string,
  meaning: string,
  traits: SettingTraits = {},
): Setting<N, V> {
  return { name, kind, initial, meaning, ...traits };
}

export function idle<const N extends string, V>(
  name: N,
  kind: Kind<V>,
  initial: string,
  reason: string,
  traits: SettingTraits = {},
): Setting<N, V> {
  return { name, kind, initial, meaning: `no effect: ${reason}`, ...traits, idle: reason };
}

export function fixed<const N extends string, V>(
  name: N,
  kind: Kind<V>,
  initial: string,
  reason: string,
  traits: SettingTraits = {},
): Setting<N, V> {
  return { name, kind, initial, meaning: `${initial || '""'} only: ${reason}`, ...traits, fixed: reason };
}

export function section<const S extends readonly Setting[]>(title: string, ...settings: S): Section<S> {
  return { title, settings };
}

/** Cannot change while the server runs. */
export const start = { change: "start" } as const;

/** Shown by CONFIG GET under its full name only. */
export const hidden = { hidden: true } as const;

/** Settings that one server alone has. */
export const onlyRedis = { only: "redis" } as const, onlyValkey = { only: "valkey" } as const;
