import { crash } from "./harness.ts";

const CYCLES = 30;

Deno.test("a server that is killed again and again keeps what it acknowledged", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await crash({ cycles: CYCLES, seed: Math.floor(Math.random() * 1e9), port });
});
