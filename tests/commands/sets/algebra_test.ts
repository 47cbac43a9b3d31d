/** Intersections, unions and differences of sets of every size, compared with JavaScript's sets. */
import { assert, assertEquals } from "@std/assert";
import type { SeededRandom } from "../../../src/core/random.ts";
import type { TestClient } from "../../helpers/client.ts";
import { pick, property } from "../../helpers/property.ts";
import { withServer } from "../../helpers/server.ts";

/** Sizes: packed, of integers, a small table, and tables whose members are prefetched together. */
const SIZES = [5, 100, 400, 6000, 12000];
const WORDS_PER_COMMAND = 1000;

/** Random members, many of them also in other sets; integers only on request; some too long for a page. */
function members(random: SeededRandom, size: number, integers: boolean): Set<string> {
  const made = new Set<string>();
  const long = "x".repeat(150);
  while (made.size < size) {
    const n = random.below(size * 2);
    made.add(integers ? `${n}` : n % 50 === 7 ? `${n}${long}` : `member ${n}`);
  }
  return made;
}

async function store(client: TestClient, key: string, set: ReadonlySet<string>): Promise<void> {
  const all = [...set];
  for (let i = 0; i < all.length; i += WORDS_PER_COMMAND) {
    await client.command("SADD", key, ...all.slice(i, i + WORDS_PER_COMMAND));
  }
}

/** The bulk strings of a flat reply, sorted. */
function sorted(reply: string): string[] {
  return reply.split("\r\n").filter((_, i) => i > 0 && i % 2 === 0).sort();
}

Deno.test("sets of all sizes unite, intersect and differ as sets do", async () => {
  await property(3, async (random) => {
    await withServer(async (client) => {
      const sets = new Map<string, Set<string>>();
      for (const [i, size] of [...SIZES, pick(random, SIZES)].entries()) {
        const set = members(random, size, i % 2 === 1 && size < 512);
        sets.set(`s${i}`, set);
        await store(client, `s${i}`, set);
      }
      const keys = [...sets.keys(), "missing"];
      for (let round = 0; round < 12; round++) {
        const chosen = Array.from({ length: 1 + random.below(3) }, () => pick(random, keys));
        const [first, ...rest] = chosen.map((key) => sets.get(key) ?? new Set<string>());
        const common = [...first].filter((member) => rest.every((set) => set.has(member))).sort();
        const left = [...first].filter((member) => !rest.some((set) => set.has(member))).sort();
        const all = [...new Set([...first, ...rest.flatMap((set) => [...set])])].sort();
        assertEquals(sorted(await client.command("SINTER", ...chosen)), common);
        assertEquals(sorted(await client.command("SDIFF", ...chosen)), left);
        assertEquals(sorted(await client.command("SUNION", ...chosen)), all);
        const limit = random.below(common.length + 2);
        assertEquals(
          await client.command("SINTERCARD", chosen.length, ...chosen, "LIMIT", limit),
          `:${limit === 0 ? common.length : Math.min(limit, common.length)}\r\n`,
        );
        for (const [name, members] of [["SUNIONCARD", all], ["SDIFFCARD", left]] as const) {
          const limit = random.below(members.length + 2), card = [name, chosen.length, ...chosen] as const;
          assertEquals(await client.command(...card), `:${members.length}\r\n`, name);
          const limited = limit === 0 ? members.length : Math.min(limit, members.length);
          assertEquals(await client.command(...card, "LIMIT", limit), `:${limited}\r\n`, `${name} LIMIT ${limit}`);
        }
        const about = Number((await client.command("SUNIONCARD", chosen.length, ...chosen, "APPROX")).slice(1));
        assert(Math.abs(about - all.length) <= 0.05 * all.length, `about ${about} of ${all.length}`);
        for (const [name, expected] of [["SINTERSTORE", common], ["SDIFFSTORE", left], ["SUNIONSTORE", all]] as const) {
          assertEquals(await client.command(name, "result", ...chosen), `:${expected.length}\r\n`);
          assertEquals(sorted(await client.command("SMEMBERS", "result")), expected);
        }
      }
    });
  });
});
