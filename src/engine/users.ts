/**
 * The users of a server, by name, and what a change of them does to connections: clients of a deleted user are
 * disconnected, and so are subscribers who lose the permission for one of their channels.
 */
import { fromLatin1, utf8 } from "../core/bytes.ts";
import { equalInConstantTime, sha256Hex } from "../core/sha256.ts";
import type { Engine } from "./engine.ts";
import type { Session } from "./session.ts";
import type { Subscriber } from "./subscriber.ts";
import { type Pattern, permitsChannel, User } from "./user.ts";

/** The text of a password of no user; it costs a wrong name the time of a wrong password. */
const NO_DIGEST = "0".repeat(64);

export class Users {
  /** The user of connections that have not authenticated as another one. It cannot be deleted. */
  readonly default = User.unrestricted("default");
  readonly #engine: Engine;
  #users = new Map<string, User>([["default", this.default]]);

  constructor(engine: Engine) {
    this.#engine = engine;
    const { settings } = engine;
    const setPassword = (password: string) => {
      this.default.passwords = password === "" ? [] : [sha256Hex(utf8(password))];
      this.default.noPassword = password === "";
      this.#told();
    };
    if (settings.values.requirepass !== "") setPassword(settings.values.requirepass);
    settings.onChange("requirepass", setPassword);
  }

  /** Whether the default user has the permissions of a new server and the password of requirepass. */
  get followsPassword(): boolean {
    const { requirepass } = this.#engine.settings.values, { open, passwords, selectors } = this.default;
    const digests = requirepass === "" ? [] : [sha256Hex(utf8(requirepass))];
    const [root] = selectors;
    return selectors.length === 1 && root.unrestricted && root.rules.length === 0 &&
      open === (requirepass === "") && passwords.join() === digests.join();
  }

  get(name: string): User | undefined {
    return this.#users.get(name);
  }

  /** All users in the order of the bytes of their names. */
  all(): User[] {
    return [...this.#users.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** The user with this name and password (bytes); undefined if there is none, or if the user is disabled. */
  authenticated(name: string, password: Uint8Array): User | undefined {
    const user = this.#users.get(name);
    if (user?.enabled && user.noPassword) return user;
    const digest = sha256Hex(password);
    let right = false;
    for (const known of user?.passwords ?? [NO_DIGEST]) right = equalInConstantTime(digest, known) || right;
    return right && user?.enabled ? user : undefined;
  }

  /** Adds a user, or gives a present one the permissions of `changed`. */
  put(changed: User): void {
    const present = this.#users.get(changed.name);
    if (present === undefined) {
      this.#users.set(changed.name, changed);
      return;
    }
    const channels = lostChannels(present, changed);
    if (channels !== undefined) {
      for (const session of this.#sessions()) {
        if (session.user === present && breaks(session.subscriber, channels)) this.#disconnect(session);
      }
    }
    present.take(changed);
    this.#told();
  }

  /** Deletes a user other than the default one. Returns false if there is none of this name. */
  delete(name: string): boolean {
    const user = this.#users.get(name);
    if (user === undefined || user === this.default) return false;
    this.#users.delete(name);
    for (const session of this.#sessions()) if (session.user === user) this.#disconnect(session);
    return true;
  }

  /** Replaces all users. Without a default user among them, that user may do everything again. */
  replace(users: readonly User[]): void {
    const next = new Map(users.map((user) => [user.name, user]));
    const before = new Map(this.#users);
    const old = new User("default");
    old.take(this.default);
    before.set("default", old);
    const newDefault = next.get("default") ?? User.unrestricted("default");
    this.default.take(newDefault);
    next.set("default", this.default);
    this.#users = next;
    for (const session of this.#sessions()) {
      const user = next.get(session.user.name), previous = before.get(session.user.name);
      const channels = user === undefined || previous === undefined ? undefined : lostChannels(previous, user);
      if (user === undefined || (channels !== undefined && breaks(session.subscriber, channels))) {
        this.#disconnect(session);
      } else {
        session.user = user;
      }
    }
    this.#told();
  }

  /** The sessions that act for one of these users, not for the server itself. */
  #sessions(): Session[] {
    return [...this.#engine.sessions.values()];
  }

  #told(): void {
    for (const session of this.#sessions()) session.userChanged();
  }

  /** Closes a connection: that of the running command after its reply, others at once. */
  #disconnect(session: Session): void {
    session.user = this.default;
    session.authenticated = false;
    if (session === this.#engine.current) session.closing = true;
    else session.transport?.close(false);
  }
}

/** The patterns of the channels that remain permitted if `changed` loses a pattern of `before`; else undefined. */
function lostChannels(before: User, changed: User): readonly Pattern[] | undefined {
  if (changed.selectors.some(({ allChannels }) => allChannels)) return undefined;
  const remaining = changed.selectors.flatMap(({ channels }) => channels);
  const texts = new Set(remaining.map(({ text }) => text));
  const keepsAll = before.selectors.every(({ allChannels, channels }) =>
    !allChannels && channels.every(({ text }) => texts.has(text))
  );
  return keepsAll ? undefined : remaining;
}

/** Whether a session has a subscription that none of the patterns permits. */
function breaks(subscriber: Subscriber | undefined, permitted: readonly Pattern[]): boolean {
  if (subscriber === undefined) return false;
  if (subscriber.names("pattern").some((name) => !permitted.some(({ text }) => text === name))) return true;
  return [...subscriber.names("channel"), ...subscriber.names("shard")].some((name) => {
    const bytes = fromLatin1(name);
    return !permitsChannel(permitted, bytes, 0, bytes.length);
  });
}
