import assert from "node:assert/strict";
import { test } from "node:test";
import { keyAt, offered } from "../src/offered.ts";

const KEYS = ["timeout", "to"];
const WORDS = ["paid", "packed", "context.total"];
const at = (text: string) => offered(text, text.length, KEYS, WORDS);

test("keys are offered where a line begins, names elsewhere", () => {
  assert.deepEqual(at("from: paid\nt").found, ["timeout: ", "to: "]);
  assert.deepEqual(at("  - t").found, ["timeout: ", "to: "]);
  assert.deepEqual(at("to: pa").found, ["paid", "packed"]);
  assert.deepEqual(at("condition: 1 < context.t").found, ["context.total"]);
});

test("nothing is offered before a word begins, or when it is whole", () => {
  assert.deepEqual(at("to: ").found, []);
  assert.deepEqual(at("to: paid").found, []);
  assert.deepEqual(offered("pa", null, KEYS, WORDS).found, []);
});

test("what stands behind the caret does not count", () => {
  assert.deepEqual(offered("to: pa, x", 6, KEYS, WORDS), { word: "pa", found: ["paid", "packed"] });
});

test("what is explained is the key whose value the caret is in", () => {
  const text = "to: paid\npre_actions:\n  - name: f";
  assert.equal(keyAt(text, 0), "to");
  assert.equal(keyAt(text, 10), "pre_actions");
  assert.equal(keyAt(text, text.length), "pre_actions");
  assert.equal(keyAt("", 0), null);
  assert.equal(keyAt(text, null), null);
});
