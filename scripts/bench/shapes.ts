/** The collections that the parts measure: what their elements look like. */
import { numbered, scattered, type Shape } from "./client.ts";

const VALUE = "x".repeat(32);

export const SHAPES = {
  "hash: fields of 20 bytes, values of 32": { add: "HSET", words: (i) => [numbered("element", i), VALUE] },
  "set: members of 20 bytes": { add: "SADD", words: (i) => [numbered("element", i)] },
  "set: integers": { add: "SADD", words: (i) => [String(i)] },
  "sorted set: members of 20 bytes": {
    add: "ZADD",
    words: (i) => [String(scattered(i, 1_000_003)), numbered("element", i)],
  },
  "list: elements of 32 bytes": { add: "RPUSH", words: () => [VALUE] },
} as const satisfies Readonly<Record<string, Shape>>;

export type ShapeName = keyof typeof SHAPES;
export const SHAPE_NAMES = Object.keys(SHAPES) as ShapeName[];
