/**
 * `deno task release:notes TAG`: prints the notes of a release, which are the version's section of CHANGELOG.md. Fails
 * unless the tag is "v" and the version in deno.json, and unless the changelog has a dated section of that version.
 */

/** The notes of the release that a tag names. Throws an error that says which file does not fit. */
export function releaseNotes(tag: string, version: string, changelog: string): string {
  if (tag !== `v${version}`) throw new Error(`the tag is ${tag}, but deno.json has version ${version}`);
  const lines = changelog.split("\n");
  const head = lines.findIndex((line) => line.startsWith(`## [${version}]`));
  if (head < 0) throw new Error(`CHANGELOG.md has no section [${version}]`);
  if (!/ - \d{4}-\d{2}-\d{2}$/.test(lines[head])) {
    throw new Error(`CHANGELOG.md: the section [${version}] has no date: "## [${version}] - YYYY-MM-DD"`);
  }
  const end = lines.findIndex((line, i) => i > head && /^(## |\[[^\]]+\]: )/.test(line));
  const notes = lines.slice(head + 1, end < 0 ? undefined : end).join("\n").trim();
  if (notes === "") throw new Error(`CHANGELOG.md: the section [${version}] is empty`);
  return notes;
}

if (import.meta.main) {
  const read = (name: string) => Deno.readTextFileSync(new URL(`../${name}`, import.meta.url));
  try {
    console.log(releaseNotes(Deno.args[0] ?? "", JSON.parse(read("deno.json")).version, read("CHANGELOG.md")));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
