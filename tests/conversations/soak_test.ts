/**
 * Clients that vanish leave nothing behind. `deno task test:conversations --soak 10000` sends more of them.
 */
import { property } from "../helpers/property.ts";
import { soak } from "./soak.ts";

const CLIENTS = 300;

Deno.test("clients that wait, subscribe, watch, track and vanish leave nothing behind", () =>
  property(1, (random) => soak(random, CLIENTS)));
