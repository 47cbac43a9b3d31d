/**
 * A worker that sends one PING after the other, so that nothing but the server lets it wait. The first message is a
 * port; the answer to the second, whatever it is, are the waits in ms, sorted.
 */
const scope = self as unknown as {
  onmessage: (event: MessageEvent) => void;
  postMessage(message: unknown): void;
};
let stopped = false;

async function probe(port: number): Promise<Float64Array> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  socket.setNoDelay(true);
  const ping = new TextEncoder().encode("PING\r\n");
  const reply = new Uint8Array(64);
  const waits: number[] = [];
  scope.postMessage("ready");
  while (!stopped) {
    const start = performance.now();
    await socket.write(ping);
    await socket.read(reply);
    waits.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return Float64Array.from(waits).sort();
}

scope.onmessage = ({ data: port }) => {
  scope.onmessage = () => stopped = true;
  probe(port).then((waits) => scope.postMessage(waits));
};
