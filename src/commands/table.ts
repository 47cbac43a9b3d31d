/**
 * The table of all commands, composed of the tables of the families.
 */
import { aclCommands } from "./acl/acl.ts";
import { bitfieldCommands } from "./bitmaps/bitfields.ts";
import { bitmapCommands } from "./bitmaps/bitmaps.ts";
import { configCommands } from "./server/config.ts";
import { evalCommands } from "./scripting/eval.ts";
import { scriptCommands } from "./scripting/script.ts";
import { fcallCommands } from "./scripting/fcall.ts";
import { functionCommands } from "./scripting/function.ts";
import { databaseCommands } from "./server/databases.ts";
import { debugCommands } from "./debug/debug.ts";
import { dumpCommands } from "./keys/dump.ts";
import { expireCommands } from "./keys/expire.ts";
import { keyCommands } from "./keys/keys.ts";
import { clientCommands } from "./connection/client.ts";
import { geoCommands } from "./geo/geo.ts";
import { hashExpiryCommands } from "./hashes/field_expiry.ts";
import { hashCommands } from "./hashes/hashes.ts";
import { connectionCommands } from "./connection/connection.ts";
import { listEndCommands } from "./lists/ends.ts";
import { blockingListCommands } from "./lists/blocking.ts";
import { moveManyCommands } from "./lists/move_many.ts";
import { listCommands } from "./lists/lists.ts";
import { hotKeysCommands } from "./server/hotkeys.ts";
import { hyperLogLogCommands } from "./hyperloglogs/hyperloglogs.ts";
import { infoCommands } from "./server/info.ts";
import { introspectCommands } from "./server/command.ts";
import { commandLogCommands } from "./server/command_log.ts";
import { latencyCommands } from "./server/latency.ts";
import { memoryCommands } from "./server/memory.ts";
import { persistenceCommands } from "./server/persistence.ts";
import { serverCommands } from "./server/server.ts";
import { publishCommands } from "./pubsub/publish.ts";
import { subscribeCommands } from "./pubsub/subscribe.ts";
import { setAlgebraCommands } from "./sets/algebra.ts";
import { setCommands } from "./sets/sets.ts";
import { snapshotCommands } from "./server/snapshot.ts";
import { sortCommands } from "./keys/sort.ts";
import { blockingSortedSetCommands } from "./sorted_sets/blocking.ts";
import { sortedSetCommands } from "./sorted_sets/sorted_sets.ts";
import type { CommandSpec } from "../dispatch/spec.ts";
import { addStreamCommands } from "./streams/add.ts";
import { claimCommands } from "./streams/claim.ts";
import { groupCommands } from "./streams/groups.ts";
import { messageCommands } from "./streams/messages.ts";
import { pendingCommands } from "./streams/pending.ts";
import { rangeCommands } from "./streams/ranges.ts";
import { readCommands } from "./streams/read.ts";
import { streamInfoCommands } from "./streams/info.ts";
import { stringCommands } from "./strings/strings.ts";
import { waitCommands } from "./server/wait.ts";
import { transactionCommands } from "./transactions/transactions.ts";

export const commandTable: readonly CommandSpec[] = [
  ...keyCommands,
  ...transactionCommands,
  ...expireCommands,
  ...databaseCommands,
  ...configCommands,
  ...aclCommands,
  ...stringCommands,
  ...bitmapCommands,
  ...bitfieldCommands,
  ...listEndCommands,
  ...listCommands,
  ...blockingListCommands,
  ...moveManyCommands,
  ...hashCommands,
  ...hashExpiryCommands,
  ...sortedSetCommands,
  ...blockingSortedSetCommands,
  ...setCommands,
  ...setAlgebraCommands,
  ...sortCommands,
  ...publishCommands,
  ...subscribeCommands,
  ...clientCommands,
  ...connectionCommands,
  ...debugCommands,
  ...dumpCommands,
  ...infoCommands,
  ...introspectCommands,
  ...commandLogCommands,
  ...hotKeysCommands,
  ...latencyCommands,
  ...memoryCommands,
  ...persistenceCommands,
  ...serverCommands,
  ...snapshotCommands,
  ...waitCommands,
  ...hyperLogLogCommands,
  ...geoCommands,
  ...addStreamCommands,
  ...rangeCommands,
  ...readCommands,
  ...groupCommands,
  ...pendingCommands,
  ...claimCommands,
  ...streamInfoCommands,
  ...messageCommands,
  ...evalCommands,
  ...scriptCommands,
  ...functionCommands,
  ...fcallCommands,
];
