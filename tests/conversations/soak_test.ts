/**
 * Clients that vanish leave nothing behind. `deno task test:conversations --soak 10000` sends more of them.
 */
import { SeededRandom } from "../../src/core/random.ts";
import { soak } from "./soak.ts";

const CLIENTS = 300;

Deno.test("clients that wait, subscribe, watch, track and vanish leave nothing behind", () =>
  soak(new SeededRandom(1), CLIENTS));
