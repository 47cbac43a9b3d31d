/**
 * Whether a user may run a request: the command, the keys with the use that the command makes of them, and the
 * channels. The executor asks before each command of a user with restrictions.
 */
import { latin1 } from "../core/bytes.ts";
import { parseSafeInt } from "../core/numbers.ts";
import type { DenialReason } from "../engine/acl_log.ts";
import { Access, type Selector, type User } from "../engine/user.ts";
import type { Request } from "../resp/request.ts";
import { categoriesOf } from "./categories.ts";
import { KeyFlag } from "./key_flags.ts";
import { hasKeys, keysOf } from "./key_positions.ts";
import { type Command, Flag } from "./registry.ts";
import type { KeyPosition } from "./spec.ts";

/** What a request lacks, with the index of the argument that is not permitted; 0 is the command. */
export interface Denial {
  readonly reason: DenialReason;
  readonly index: number;
}

/** Of the denials of several selectors the one that comes closest to a permission counts. */
const CLOSENESS: Readonly<Record<DenialReason, number>> = { auth: 0, command: 1, database: 2, key: 3, channel: 4 };

/** The access to a key that a command needs, from bits of KeyFlag. */
export function accessOf(flags: number): number {
  const writes = KeyFlag.INSERT | KeyFlag.DELETE | KeyFlag.UPDATE;
  return ((flags & KeyFlag.ACCESS) !== 0 ? Access.READ : 0) | ((flags & writes) !== 0 ? Access.WRITE : 0);
}

/**
 * The reason why a user may not run a request in a database; undefined if it is permitted. The caller has checked the
 * arity.
 */
export function denialOf(user: User, command: Command, request: Request, db: number): Denial | undefined {
  if (user.unrestricted) return undefined;
  let worst: Denial = { reason: "command", index: 0 };
  const keys = new KeysOnce(command, request);
  for (const selector of user.selectors) {
    const denial = denialBy(selector, command, request, keys, db);
    if (denial === undefined) return undefined;
    const closer = CLOSENESS[denial.reason] - CLOSENESS[worst.reason];
    if (closer > 0 || (closer === 0 && denial.index > worst.index)) worst = denial;
  }
  return worst;
}

/** Whether one selector permits both the request and every key with the given access. */
export function permitsEveryKey(
  user: User,
  command: Command,
  request: Request,
  db: number,
  access: number,
): boolean {
  if (user.unrestricted) return true;
  const keys = new KeysOnce(command, request);
  return user.selectors.some((selector) =>
    denialBy(selector, command, request, keys, db) === undefined && selector.permitsEveryKey(access)
  );
}

/** The keys of a request, found at the first question for all selectors. */
class KeysOnce {
  #keys: readonly KeyPosition[] | undefined;

  constructor(readonly command: Command, readonly request: Request) {}

  get all(): readonly KeyPosition[] {
    // A request whose arguments contradict the specification has no keys; the command refuses it.
    return this.#keys ??= keysOf(this.command, this.request) ?? [];
  }
}

function denialBy(
  selector: Selector,
  command: Command,
  request: Request,
  keys: KeysOnce,
  db: number,
): Denial | undefined {
  if (!selector.allCommands && (command.bits & Flag.NO_AUTH) === 0 && !permitsCommand(selector, command, request)) {
    return { reason: "command", index: 0 };
  }
  if (selector.databases !== undefined) {
    const index = deniedDatabase(selector.databases, command, request, db);
    if (index >= 0) return { reason: "database", index };
  }
  const { bytes, start, end } = request;
  if (!selector.allKeys) {
    for (const { index, flags } of keys.all) {
      if (!selector.permitsKey(bytes, start[index], end[index], accessOf(flags))) return { reason: "key", index };
    }
  }
  const { channels } = command.spec;
  if (channels !== undefined && !selector.allChannels) {
    const last = channels === "publish" ? 1 : request.argc - 1;
    for (let index = 1; index <= last; index++) {
      const permitted = channels === "pattern"
        ? selector.permitsChannelPattern(latin1(bytes, start[index], end[index]))
        : selector.permitsChannel(bytes, start[index], end[index]);
      if (!permitted) return { reason: "channel", index };
    }
  }
  return undefined;
}

/**
 * The argument that names a database that is not permitted; 0 if it is the selected one, -1 if all are permitted. The
 * selected one counts for commands that use keys or are about keys.
 */
function deniedDatabase(permitted: readonly number[], command: Command, request: Request, db: number): number {
  const { databases } = command.spec;
  if (databases === "all") return 0;
  const named = databases?.(request) ?? [];
  const usesKeys = hasKeys(command);
  const usesSelected = usesKeys || (named.length === 0 && categoriesOf(command.spec).includes("keyspace"));
  if (usesSelected && !permitted.includes(db)) return 0;
  return named.find((i) => {
    const database = parseSafeInt(request.bytes, request.start[i], request.end[i]);
    return !Number.isNaN(database) && !permitted.includes(database);
  }) ?? -1;
}

function permitsCommand(selector: Selector, { id }: Command, request: Request): boolean {
  if (selector.permitsCommand(id)) return true;
  const words = selector.firstArguments.get(id);
  if (words === undefined || request.argc < 2) return false;
  return words.includes(latin1(request.bytes, request.start[1], request.end[1]).toLowerCase());
}

/** The sentence that says what is missing; with the name of the key or channel if `named`. */
export function denialText({ reason, index }: Denial, user: User, command: Command, request: Request, named = false) {
  if (reason === "command") return `User ${user.name} has no permissions to run the '${command.fullName}' command`;
  const object = latin1(request.bytes, request.start[index], request.end[index]);
  if (reason === "database") {
    return named
      ? `User ${user.name} has no permissions to access database ${object}`
      : "No permissions to access database";
  }
  if (named) return `User ${user.name} has no permissions to access the '${object}' ${reason}`;
  return `No permissions to access a ${reason}`;
}

/** What ACL LOG shows of a denial. */
export function deniedObject({ index }: Denial, command: Command, request: Request): string {
  return index === 0 ? command.fullName : latin1(request.bytes, request.start[index], request.end[index]);
}
