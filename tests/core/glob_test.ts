import { assertEquals } from "@std/assert";
import { globMatch } from "../../src/core/glob.ts";

const encoder = new TextEncoder();

function matches(pattern: string, text: string, nocase = false): boolean {
  const p = encoder.encode(`<<${pattern}>>`);
  const t = encoder.encode(`((${text}))`);
  return globMatch(p, 2, p.length - 2, t, 2, t.length - 2, nocase);
}

/** The rules in their simplest form: tries every possible length of each star. */
function model(pattern: number[], text: number[]): boolean {
  if (pattern.length === 0 || text.length === 0) return pattern.length === 0 && text.length === 0;
  const [c, ...rest] = pattern;
  const next = text.slice(1);
  const end = (pattern: number[]) => next.length === 0 && pattern.every((c) => c === 0x2a) || model(pattern, next);
  switch (c) {
    case 0x2a:
      if (rest.every((c) => c === 0x2a)) return true;
      return text.some((_, i) => model(rest, text.slice(i)));
    case 0x3f:
      return end(rest);
    case 0x5c: {
      const literal = rest.length > 0 ? rest[0] : c;
      return literal === text[0] && end(rest.slice(1));
    }
    case 0x5b: {
      const negated = rest[0] === 0x5e;
      let i = negated ? 1 : 0;
      let found = false;
      for (; i < rest.length && rest[i] !== 0x5d; i++) {
        if (rest[i] === 0x5c && i + 1 < rest.length) {
          i++;
          found ||= rest[i] === text[0];
        } else if (rest[i + 1] === 0x2d && i + 2 < rest.length) {
          const [from, to] = [rest[i]!, rest[i + 2]!].toSorted((a, b) => a - b) as [number, number];
          found ||= text[0]! >= from && text[0]! <= to;
          i += 2;
        } else {
          found ||= rest[i] === text[0];
        }
      }
      return found !== negated && end(rest.slice(i + 1));
    }
    default:
      return c === text[0] && end(rest);
  }
}

Deno.test("a star matches any run, and a question mark one byte", () => {
  assertEquals(matches("h*llo", "heeeello"), true);
  assertEquals(matches("h*llo", "hllo"), true);
  assertEquals(matches("h?llo", "hallo"), true);
  assertEquals(matches("h?llo", "hllo"), false);
  assertEquals(matches("*", "anything"), true);
  assertEquals(matches("a**", "a"), true);
  assertEquals(matches("*a*b*c*", "xxaxxbxxc"), true);
});

Deno.test("a class takes members, ranges in either direction, negation and escapes", () => {
  assertEquals(matches("h[ae]llo", "hello"), true);
  assertEquals(matches("h[ae]llo", "hillo"), false);
  assertEquals(matches("h[^e]llo", "hello"), false);
  assertEquals(matches("h[^e]llo", "hallo"), true);
  assertEquals(matches("h[z-a]llo", "hello"), true);
  assertEquals(matches("[\\]]", "]"), true);
  assertEquals(matches("[a-]", "a"), true);
});

Deno.test("an unclosed class ends with the pattern", () => {
  assertEquals(matches("a[bc", "ab"), true);
  assertEquals(matches("a[", "ab"), false);
  assertEquals(matches("a[^", "ab"), true);
});

Deno.test("a backslash takes the next byte literally, and itself at the end", () => {
  assertEquals(matches("a\\*", "a*"), true);
  assertEquals(matches("a\\*", "ab"), false);
  assertEquals(matches("a\\", "a\\"), true);
});

Deno.test("an empty text matches the empty pattern only", () => {
  assertEquals(matches("", ""), true);
  assertEquals(matches("*", ""), false);
  assertEquals(matches("", "a"), false);
});

Deno.test("case is ignored on request, though not by escaped members of a class", () => {
  assertEquals(matches("MAX*", "maxmemory", true), true);
  assertEquals(matches("MAX*", "maxmemory"), false);
  assertEquals(matches("[A-C]x", "bX", true), true);
  assertEquals(matches("[\\A]", "a", true), false);
});

Deno.test("a pattern full of stars against a long text ends at once", () => {
  assertEquals(matches("*?".repeat(500) + "z", "a".repeat(50_000)), false);
  assertEquals(matches("a*".repeat(64) + "b", "a".repeat(10_000)), false);
});

Deno.test("a pattern with more than a thousand inner stars matches nothing", () => {
  assertEquals(matches("*a".repeat(1000), "a".repeat(1000)), true);
  assertEquals(matches("*a".repeat(1001), "a".repeat(1001)), false);
  assertEquals(matches("*a".repeat(1000) + "*", "a".repeat(1002)), true);
});

Deno.test("random patterns agree with the rules written out", () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  const pick = (alphabet: string, length: number) =>
    Array.from({ length }, () => alphabet[random(alphabet.length)]).join("");
  for (let round = 0; round < 20_000; round++) {
    const pattern = pick("aabc**??[]^-\\", random(8));
    const text = pick("aabbc]-\\^", random(8));
    const bytes = (s: string) => [...encoder.encode(s)];
    assertEquals(
      matches(pattern, text),
      model(bytes(pattern), bytes(text)),
      `pattern ${JSON.stringify(pattern)}, text ${JSON.stringify(text)}, seed ${seed}`,
    );
  }
});
