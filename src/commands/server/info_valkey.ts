/**
 * INFO as Valkey has it, made of Redis's fields: other names, fields that only one server has, and the sections that
 * only Valkey has. A field about a part that MemDB does not have has the value of a server that does not use the part.
 */
import { VALKEY_VERSION } from "../../core/version.ts";
import type { Call } from "../../dispatch/call.ts";
import { Functions } from "../../scripting/functions.ts";
import { Scripts } from "../../scripting/scripts.ts";
import type { Field } from "./info_stats.ts";

/** Valkey's names of Redis's fields; undefined where it has none. */
const NAMES: Readonly<Record<string, string | undefined>> = {
  redis_mode: "server_mode",
  used_memory_peak_time: undefined,
  mem_replica_full_sync_buffer: "mem_replicas_repl_buffer",
  mem_cluster_slot_migration_output_buffer: undefined,
  mem_cluster_slot_migration_input_buffer: undefined,
  mem_cluster_slot_migration_input_buffer_peak: undefined,
  rdb_saves_consecutive_failures: undefined,
  expired_subkeys: undefined,
  expired_subkeys_active: undefined,
  expired_keys_active: undefined,
};

type Value = string | number | { readonly of: string } | ((call: Call) => string | number);

/** Fields that Valkey has behind another one. Some have the value of one of Redis's fields. */
const ADDED: Readonly<Record<string, readonly (readonly [name: string, value: Value])[]>> = {
  redis_version: [["server_name", "valkey"], ["valkey_version", VALKEY_VERSION], ["valkey_release_stage", "ga"]],
  configured_hz: [["clients_hz", { of: "hz" }]],
  io_threads_active: [["availability_zone", ""]],
  total_blocking_keys_on_nokey: [
    ["paused_reason", ({ engine }) => engine.pause === undefined ? "none" : "client_pause"],
    ["paused_actions", ({ engine: { pause } }) => pause === undefined ? "none" : pause.all ? "all" : "write"],
    [
      "paused_timeout_milliseconds",
      ({ engine: { pause, clock } }) => pause === undefined ? 0 : Math.max(0, Math.ceil(pause.untilMs - clock.nowMs())),
    ],
  ],
  mem_cluster_links: [["mem_cluster_slot_import", 0], ["mem_cluster_slot_export", 0]],
  module_fork_last_cow_size: [["slot_migration_fork_in_progress", 0]],
  total_net_repl_output_bytes: [
    ["total_net_cluster_slot_import_bytes", 0],
    ["total_net_cluster_slot_export_bytes", 0],
  ],
  expired_keys: [["expired_fields", { of: "expired_subkeys" }]],
  expired_stale_perc: [["expired_keys_with_volatile_items_stale_perc", "0.00"]],
  io_threaded_writes_processed: [
    ["io_threaded_freed_objects", 0],
    ["io_threaded_accept_processed", 0],
    ["io_threaded_poll_processed", 0],
  ],
  acl_access_denied_tls_cert: [["acl_access_denied_db", 0]],
  connected_slaves: [["replicas_waiting_psync", 0]],
};

/** The fields of a section of Redis as those of Valkey. */
export function asInValkey(call: Call, fields: readonly Field[]): Field[] {
  const values = new Map(fields);
  return fields.flatMap(([name, value]): Field[] => {
    const own: Field[] = !(name in NAMES) ? [[name, value]] : NAMES[name] === undefined ? [] : [[NAMES[name], value]];
    const added = (ADDED[name] ?? []).map(([other, given]): Field => [
      other,
      typeof given === "function" ? given(call) : typeof given === "object" ? values.get(given.of) ?? 0 : given,
    ]);
    return [...own, ...added];
  });
}

/** There is no certificate of any kind. */
export function tlsFields(): Field[] {
  return ["server", "client", "ca"].flatMap((kind): Field[] => [
    [`tls_${kind}_cert_serial`, "none"],
    [`tls_${kind}_cert_expires_in_seconds`, 0],
  ]);
}

/** Lua is the one engine. */
export function engineFields({ engine }: Call): Field[] {
  const bytes = engine.part(Scripts).usedBytes + engine.part(Functions).usedBytes;
  return [
    ["engines_count", 1],
    ["engines_total_used_memory", bytes],
    ["engines_total_memory_overhead", 0],
    ["engine_0", `name=LUA,module=built-in,abi_version=4,used_memory=${bytes},memory_overhead=0`],
  ];
}
