import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { releaseNotes } from "../../scripts/release_notes.ts";

const CHANGELOG = `# Changelog

## [Unreleased]

### Added

- later

## [1.2.0] - 2026-12-24

### Fixed

- a fault

## [1.1.0] - 2026-12-01

- older
`;

Deno.test("the notes of a release are its section of the changelog", () => {
  assertEquals(releaseNotes("v1.2.0", "1.2.0", CHANGELOG), "### Fixed\n\n- a fault");
  assertEquals(releaseNotes("v1.1.0", "1.1.0", CHANGELOG), "- older");
});

Deno.test("a tag that is not the version makes no release", () => {
  for (const tag of ["", "1.2.0", "v1.2", "v1.2.0-rc1", "v1.1.0"]) {
    assertThrows(() => releaseNotes(tag, "1.2.0", CHANGELOG), Error, "deno.json has version 1.2.0");
  }
});

Deno.test("a version without a dated, filled section makes no release", () => {
  assertThrows(() => releaseNotes("v1.3.0", "1.3.0", CHANGELOG), Error, "no section [1.3.0]");
  assertThrows(() => releaseNotes("v2.0.0", "2.0.0", "## [2.0.0]\n\n- new"), Error, "has no date");
  assertThrows(() => releaseNotes("v2.0.0", "2.0.0", "## [2.0.0] - 2027-01-01\n\n## [1.0.0]"), Error, "is empty");
});

Deno.test("the project's changelog begins with a section for unreleased changes", async () => {
  const changelog = await Deno.readTextFile(new URL("../../CHANGELOG.md", import.meta.url));
  const heads = changelog.split("\n").filter((line) => line.startsWith("## "));
  assertEquals(heads[0], "## [Unreleased]");
  for (const head of heads.slice(1)) assertMatch(head, /^## \[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}$/);
});
