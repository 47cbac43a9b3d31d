/**
 * Randomness that can be replaced and seeded. Not for secrets: the keys of the hash function come from
 * crypto.getRandomValues.
 */
export interface Random {
  /** A uniform integer in [0, bound); `bound` is at most 2^32. */
  below(bound: number): number;
  /** A uniform number in [0, 1). */
  unit(): number;
}

/** xorshift128 with a 32-bit seed: the same seed gives the same sequence on every machine. */
export class SeededRandom implements Random {
  readonly #s = new Int32Array(4);

  constructor(seed: number) {
    // SplitMix-style expansion: neighbouring seeds start far apart, and the state is never all zero.
    let z = seed | 0;
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) | 0;
      let t = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      t = Math.imul(t ^ (t >>> 13), 0xc2b2ae35);
      this.#s[i] = t ^ (t >>> 16) ^ (i + 1);
    }
  }

  #next(): number {
    const s = this.#s;
    let t = s[3];
    t ^= t << 11;
    t ^= t >>> 8;
    s[3] = s[2];
    s[2] = s[1];
    s[1] = s[0];
    t ^= s[0] ^ (s[0] >>> 19);
    s[0] = t;
    return t >>> 0;
  }

  below(bound: number): number {
    // A division takes longer than all other operations here.
    if ((bound & (bound - 1)) === 0) return (this.#next() & (bound - 1)) >>> 0;
    // Rejects the incomplete last interval, so that every remainder is equally likely.
    const limit = 0x100000000 - (0x100000000 % bound);
    for (;;) {
      const x = this.#next();
      if (x < limit) return x % bound;
    }
  }

  unit(): number {
    return (this.#next() * 0x200000 + (this.#next() >>> 11)) / 0x20000000000000;
  }
}

/** A generator seeded from the operating system. */
export function systemRandom(): Random {
  return new SeededRandom(crypto.getRandomValues(new Int32Array(1))[0]);
}
