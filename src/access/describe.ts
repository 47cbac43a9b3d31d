/** The text of users in the format of ACL LIST, of `user` lines and of the ACL file. It is latin1. */
import type { Personality } from "../core/personality.ts";
import { Access, type KeyPattern, type Selector, type User } from "../engine/user.ts";

/** The flags of a user in Redis's order. Valkey has none about payloads. */
export function userFlags(user: User, personality: Personality): string[] {
  const payloads = user.skipsSanitizing ? "skip-sanitize-payload" : "sanitize-payload";
  return [
    user.enabled ? "on" : "off",
    ...user.noPassword ? ["nopass"] : [],
    ...personality === "redis" ? [payloads] : [],
  ];
}

/** The rules about commands, beginning with "+@all" or "-@all". */
export function commandRules({ futureCommands, rules }: Selector): string {
  return [futureCommands ? "+@all" : "-@all", ...rules].join(" ");
}

function keyRule({ access, pattern }: KeyPattern): string {
  const sign = access === Access.ALL ? "~" : access === Access.READ ? "%R~" : "%W~";
  return sign + pattern.text;
}

export function keyRules({ allKeys, keys }: Selector): string {
  return allKeys ? "~*" : keys.map(keyRule).join(" ");
}

export function channelRules({ allChannels, channels }: Selector): string {
  return allChannels ? "&*" : channels.map(({ text }) => `&${text}`).join(" ");
}

/** The rule about databases; "alldbs" if there is none. */
export function databaseRules({ databases }: Selector): string {
  if (databases === undefined) return "alldbs";
  return databases.length === 0 ? "resetdbs" : `db=${databases.join(",")}`;
}

function selectorText(selector: Selector): string {
  const channels = channelRules(selector);
  return [
    keyRules(selector),
    selector.allChannels ? channels : `resetchannels ${channels}`.trimEnd(),
    selector.databases === undefined ? "" : databaseRules(selector),
    commandRules(selector),
  ].filter((part) => part !== "").join(" ");
}

/** The rules that make this user from a new one. */
export function userRules(user: User, personality: Personality): string {
  const [root, ...others] = user.selectors;
  return [
    ...userFlags(user, personality),
    ...user.passwords.map((digest) => `#${digest}`),
    selectorText(root),
    ...others.map((selector) => `(${selectorText(selector)})`),
  ].join(" ");
}

/** The line of a user in a file. */
export function userLine(user: User, personality: Personality): string {
  return `user ${user.name} ${userRules(user, personality)}`;
}
