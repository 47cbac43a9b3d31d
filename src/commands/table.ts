/**
 * The array of all commands. A family is one file with one table; this file puts them together.
 */
import { bitfieldCommands } from "./bitfields.ts";
import { bitmapCommands } from "./bitmaps.ts";
import { configCommands } from "./config.ts";
import { databaseCommands } from "./databases.ts";
import { debugCommands } from "./debug.ts";
import { dumpCommands } from "./dump.ts";
import { expireCommands } from "./expire.ts";
import { keyCommands } from "./keys.ts";
import { clientCommands } from "./client.ts";
import { geoCommands } from "./geo.ts";
import { hashExpiryCommands } from "./hash_expiry.ts";
import { hashCommands } from "./hashes.ts";
import { connectionCommands } from "./connection.ts";
import { listEndCommands } from "./list_ends.ts";
import { listCommands } from "./lists.ts";
import { hyperLogLogCommands } from "./hyperloglogs.ts";
import { infoCommands } from "./info.ts";
import { introspectCommands } from "./introspect.ts";
import { memoryCommands } from "./memory.ts";
import { persistenceCommands } from "./persistence.ts";
import { serverCommands } from "./server.ts";
import { setAlgebraCommands } from "./set_algebra.ts";
import { setCommands } from "./sets.ts";
import { snapshotCommands } from "./snapshot.ts";
import { sortCommands } from "./sort.ts";
import { sortedSetCommands } from "./sorted_sets.ts";
import type { CommandSpec } from "./spec.ts";
import { stringCommands } from "./strings.ts";
import { transactionCommands } from "./transactions.ts";

export const commandTable: readonly CommandSpec[] = [
  ...keyCommands,
  ...transactionCommands,
  ...expireCommands,
  ...databaseCommands,
  ...configCommands,
  ...stringCommands,
  ...bitmapCommands,
  ...bitfieldCommands,
  ...listEndCommands,
  ...listCommands,
  ...hashCommands,
  ...hashExpiryCommands,
  ...sortedSetCommands,
  ...setCommands,
  ...setAlgebraCommands,
  ...sortCommands,
  ...clientCommands,
  ...connectionCommands,
  ...debugCommands,
  ...dumpCommands,
  ...infoCommands,
  ...introspectCommands,
  ...memoryCommands,
  ...persistenceCommands,
  ...serverCommands,
  ...snapshotCommands,
  ...hyperLogLogCommands,
  ...geoCommands,
];
