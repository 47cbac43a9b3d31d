/** Gives the memory of a buffer back at once. The collector, which sees no garbage on its own heap, might never run. */
export function detach(buffer: ArrayBuffer): void {
  // Node.js 20 has no `transfer`.
  if ("transfer" in buffer) buffer.transfer(0);
  else structuredClone(buffer, { transfer: [buffer] });
}
