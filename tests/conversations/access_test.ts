/** Users and their permissions: word for word as the released servers do it. */
import { ACCESS_SCRIPTS, DATABASE_SCRIPTS, REDIS_SCRIPTS } from "./access_scripts.ts";
import { compareScripts } from "./compare_scripts.ts";
import type { Step } from "./conversation.ts";
import type { Scripts } from "./scripts.ts";
import { anyOrder } from "./masks.ts";

/** Redis does not answer a wrong password while other replies wait, so each command is a step of its own. */
const oneByOne = (scripts: Scripts) =>
  Object.fromEntries(
    Object.entries(scripts).map(([title, steps]) => [
      title,
      steps.flatMap(([client, ...commands]) =>
        commands.length === 0 ? [[client]] : commands.map((each) => [client, each])
      ),
    ]),
  ) as unknown as Record<string, Step[]>;

/** The lines of clients and the times in ACL LOG. */
function masked(text: string): string {
  return anyOrder(text)
    .replace(/\$\d+\r\n(id=|addr=)[^\r]*/g, "(client)")
    .replace(/(age-seconds\r\n)(\$\d+\r\n|,)[\d.e-]+/g, "$1(age)")
    .replace(/(timestamp-[a-z-]+\r\n):\d+/g, "$1:(time)");
}

compareScripts("users may do and see what they may at", oneByOne(ACCESS_SCRIPTS), { mask: masked });
compareScripts("users may use keys as they may at", oneByOne(REDIS_SCRIPTS), {
  programs: ["redis-server"],
  mask: masked,
});
compareScripts("users may use the databases that they may use at", oneByOne(DATABASE_SCRIPTS), {
  programs: ["valkey-server"],
  mask: masked,
});
