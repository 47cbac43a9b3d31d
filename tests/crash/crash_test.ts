/**
 * The crash harness in the regular test run: few cycles, with a new seed each time.
 */
import { assertGreater } from "@std/assert";
import { property } from "../helpers/property.ts";
import { crash } from "./harness.ts";

const CYCLES = 12;

Deno.test("a server that is killed again and again has everything that it acknowledged, and no half of anything", async () => {
  await property(1, async (_, seed) => {
    const { acknowledged } = await crash({ cycles: CYCLES, seed });
    assertGreater(acknowledged, 1000);
  });
});
