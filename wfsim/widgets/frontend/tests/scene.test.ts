import assert from "node:assert/strict";
import { test } from "node:test";
import { recorded } from "../src/recorded.ts";
import { patched } from "../src/scene.ts";
import type { Message } from "../src/types.ts";

test("entries are replaced one by one, and null takes one away", () => {
  const scene = { lit: { a: "active", b: "visited" }, order: ["x"], title: "t" };
  const next = patched(scene, { lit: { a: "visited", b: null, c: "active" }, order: [] });
  assert.deepEqual({ ...next.lit }, { a: "visited", c: "active" });
  assert.deepEqual(next.order, []);
  assert.deepEqual(scene.lit, { a: "active", b: "visited" });
});

test("a list or a text is replaced whole, and so is what was nothing", () => {
  assert.deepEqual(patched({ net: null }, { net: { lit: {} } }), { net: { lit: {} } });
  assert.deepEqual(patched({ net: { lit: {} } }, { net: null }), { net: null });
});

test("a state may be called __proto__", () => {
  const changes = JSON.parse('{"lit": {"__proto__": "active"}}');
  const { lit } = patched({ lit: { a: "active" } as Record<string, string> }, changes);
  assert.deepEqual(Object.keys(lit), ["a", "__proto__"]);
  assert.equal(({} as Record<string, string>)["active"], undefined);
});

test("a recording goes back and forth, and says that it cannot do more", async () => {
  const model = recorded({ kind: "stepper", looks: {}, at: 0, scene: { at: 0 }, steps: [{ at: 1 }, { at: 2 }] });
  const heard: Message[] = [];
  model.on("msg:custom", (message) => heard.push(message));
  for (const asked of [
    { type: "hello" },
    { type: "jump", to: 2 },
    { type: "jump", to: 1 },
    { type: "next" },
    { type: "do" },
  ])
    model.send({ ...asked, seq: heard.length });
  await Promise.resolve();
  assert.deepEqual(
    heard.map((each) => each["scene"] ?? each["text"]),
    [
      { at: 0 },
      { at: 2 },
      { at: 1 },
      { at: 2 },
      "This page was saved: it shows what happened. Open it in a notebook to go on.",
    ],
  );
});
