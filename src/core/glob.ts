/**
 * Glob matching over bytes, as Redis matches KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET. It supports only those rules:
 * no brace groups, no named character classes, no Unicode.
 *
 * The rules: `*` matches any run, `?` any byte, `[abc]`, `[^abc]` and `[a-z]` one byte, `\x` the byte x itself. An
 * unclosed class ends with the pattern, a range may be written backwards, and an empty text matches only the empty
 * pattern.
 *
 * Only the most recent `*` is ever widened, so a match costs at most pattern length times text length: once the part
 * between two stars was found, finding it further right cannot help the rest of the pattern.
 */

/** A pattern with more runs of stars than this, not counting a run at its end, matches nothing (Redis's limit). */
const STAR_LIMIT = 1000;

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const BACKSLASH = 0x5c;
const DASH = 0x2d;

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/**
 * Whether the class that starts after `[` at `p` contains `byte`. Stores the position of its last byte in `classEnd`.
 */
function classHas(pattern: Uint8Array, p: number, pe: number, byte: number, nocase: boolean): boolean {
  const negated = p < pe && pattern[p] === CARET;
  if (negated) p++;
  const folded = nocase ? lower(byte) : byte;
  let found = false;
  while (p < pe && pattern[p] !== CLOSE) {
    if (pattern[p] === BACKSLASH && pe - p >= 2) {
      p++;
      // Redis compares an escaped member exactly, even if case is ignored.
      if (pattern[p] === byte) found = true;
    } else if (pe - p >= 3 && pattern[p + 1] === DASH) {
      let from = pattern[p];
      let to = pattern[p + 2];
      if (from > to) {
        const swapped = from;
        from = to;
        to = swapped;
      }
      if (nocase) {
        from = lower(from);
        to = lower(to);
      }
      p += 2;
      if (folded >= from && folded <= to) found = true;
    } else if ((nocase ? lower(pattern[p]) : pattern[p]) === folded) {
      found = true;
    }
    p++;
  }
  classEnd = p < pe ? p : pe - 1;
  return found !== negated;
}

/** Result of classHas: the position of `]`, or of the pattern's last byte if the class is unclosed. */
let classEnd = 0;

/**
 * Whether `text[ts, te)` matches `pattern[ps, pe)`; `nocase` ignores ASCII case. Hot: allocates nothing.
 * Source: the glob rules of the Redis pages KEYS and PSUBSCRIBE.
 */
export function globMatch(
  pattern: Uint8Array,
  ps: number,
  pe: number,
  text: Uint8Array,
  ts: number,
  te: number,
  nocase: boolean,
): boolean {
  let p = ps;
  let t = ts;
  let starPattern = -1;
  let starText = 0;
  let stars = 0;
  while (true) {
    let mismatch = false;
    while (p < pe && t < te) {
      const c = pattern[p];
      if (c === STAR) {
        while (p + 1 < pe && pattern[p + 1] === STAR) p++;
        if (p + 1 === pe) return true;
        if (++stars > STAR_LIMIT) return false;
        p++;
        starPattern = p;
        starText = t;
        continue;
      }
      if (c === OPEN) {
        mismatch = !classHas(pattern, p + 1, pe, text[t], nocase);
        p = classEnd;
      } else if (c !== QUESTION) {
        if (c === BACKSLASH && pe - p >= 2) p++;
        const wanted = pattern[p];
        const given = text[t];
        mismatch = wanted !== given && !(nocase && lower(wanted) === lower(given));
      }
      if (mismatch) break;
      p++;
      t++;
    }
    if (!mismatch) {
      if (t === te && te > ts) { while (p < pe && pattern[p] === STAR) p++; }
      if (p === pe && t === te) return true;
    }
    if (starPattern < 0 || ++starText >= te) return false;
    p = starPattern;
    t = starText;
  }
}
