import type { Engine } from "./engine.ts";
export class ExpiryState {}
export function runExpiryCycle(_engine: Engine, _state: ExpiryState): void {}
