/**
 * Random users: rules about commands, categories, keys and channels, and the dry and the real run of random commands
 * under them.
 */
import { CATEGORIES } from "../../src/dispatch/categories.ts";
import type { SeededRandom } from "../../src/core/random.ts";
import { oneIn, pick } from "../helpers/property.ts";
import { Generator } from "./generate.ts";

const generator = new Generator("redis");
const NAMES = [...generator.names];
const CHANNELS = ["&*", "&a", "&n*", "resetchannels", "allchannels", "&b?"];
const ODD = [
  "+nope",
  "%~x",
  "~a b",
  "+get|a|b",
  "-select|1",
  "+select|0",
  "nonsense",
  "+@nope",
  "%Rx",
  "+object|nope",
  "",
];
const OFTEN = ["resetkeys", "resetkeys", "allkeys", "+@all", "+@all", "+@all", "-@all", "clearselectors"];
const ACCESS = ["~", "~", "%R~", "%W~", "%RW~"];
const PUBSUB = [["PUBLISH", "a", "m"], ["PUBLISH", "news", "m"], ["SPUBLISH", "b1", "m"]];

function pattern(random: SeededRandom, keys: readonly string[]): string {
  const key = pick(random, keys).replaceAll(/[\s*?[\]\\()]/g, "");
  if (oneIn(random, 10)) return "*";
  return oneIn(random, 2) ? key : `${key.slice(0, random.below(key.length + 1))}*`;
}

function rule(random: SeededRandom, keys: readonly string[]): string {
  const sign = oneIn(random, 3) ? "-" : "+";
  switch (random.below(10)) {
    case 0:
    case 1:
      return `${sign}@${pick(random, ["all", ...CATEGORIES])}`;
    case 2:
      return sign + pick(random, NAMES);
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
      return pick(random, ACCESS) + pattern(random, keys);
    case 8:
      return pick(random, CHANNELS);
    default:
      return oneIn(random, 3) ? pick(random, ODD) : pick(random, OFTEN);
  }
}

function rules(random: SeededRandom, keys: readonly string[]): string[] {
  const found: string[] = [];
  for (let i = random.below(8); i >= 0; i--) {
    const inner = () =>
      Array.from({ length: 1 + random.below(4) }, () => rule(random, keys)).filter((word) => word !== "");
    found.push(oneIn(random, 5) ? `(${inner().join(" ")})` : rule(random, keys));
  }
  return found;
}

/** `count` random commands of a random user whose rules change now and then; each is asked about before it runs. */
export function userCommands(random: SeededRandom, count: number): string[][] {
  const commands = generator.commands(random, count);
  const keys = commands.flatMap(([, key]) => key === undefined || key === "" || key.length > 20 ? [] : [key]);
  if (keys.length === 0) keys.push("a");
  const found: string[][] = [["AUTH", "default", ""], ["ACL", "SETUSER", "u", "reset", "on", "nopass", "+@all"]];
  for (const command of commands) {
    if (oneIn(random, 8)) {
      found.push(["AUTH", "default", ""]);
      // Each rule by itself, so that one fault does not undo the others.
      for (const each of rules(random, keys)) found.push(["ACL", "SETUSER", "u", each]);
      found.push(["ACL", "GETUSER", "u"]);
    }
    const asked = oneIn(random, 10) ? pick(random, PUBSUB) : command;
    found.push(["AUTH", "default", ""], ["ACL", "DRYRUN", "u", ...asked], ["AUTH", "u", ""], [...asked]);
  }
  return [...found, ["AUTH", "default", ""]];
}
