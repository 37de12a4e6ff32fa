import assert from "node:assert/strict";
import { test } from "node:test";
import { rules } from "../src/looks.ts";

test("a page of Jupyter has the colours of its own theme, whatever the browser prefers", () => {
  const look = { line: ["#111", "#eee"], fill: ["#222", "#ddd"], width: 4, dash: "", badge: null };
  const found = rules({ "more-5": look as never }).split("\n");
  const tone = (begins: string) => /--wf-more-5:(#\w+)/.exec(found.find((line) => line.startsWith(begins))!)![1];
  assert.equal(tone(".wfsim-live"), "#111");
  assert.equal(tone("@media (prefers-color-scheme:dark)"), "#eee");
  assert.equal(tone('[data-jp-theme-light="true"]'), "#111");
  assert.equal(tone('[data-jp-theme-light="false"]'), "#eee");
});
