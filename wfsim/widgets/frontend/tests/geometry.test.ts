import assert from "node:assert/strict";
import { test } from "node:test";
import { arrow, border, collapsed, nearest, pinned } from "../src/geometry.ts";
import type { Box, EdgeData, NodeData, Picture, Point } from "../src/types.ts";

const box = (x: number, y: number): Box => ({ x, y, width: 20, height: 10 });
const node = (id: string, x: number, y: number, group: string | null = null): NodeData => {
  const at = box(x, y);
  return { id, label: id, lines: [], shape: "rounded", role: "state", group, box: at, outline: at, text: null };
};
const edge = (id: string, source: string, target: string): EdgeData => {
  const points: Point[] = [0, 1, 2, 3].map((k) => [k, k]);
  return { id, source, target, label: id, lines: [], style: "solid", head: "arrow", role: "event", points, text: null };
};
const PICTURE: Picture = {
  tags: [],
  arrivals: [],
  title: "t",
  width: 200,
  height: 100,
  nodes: [node("a", 0, 0), node("b", 100, 0, "g"), node("c", 100, 50, "g")],
  edges: [edge("ab", "a", "b"), edge("bc", "b", "c"), edge("aa", "a", "a")],
  groups: [
    { id: "g", label: "g", parent: null, role: "state", box: { x: 90, y: 0, width: 50, height: 80 }, text: null },
  ],
};

test("a line ends where its head begins", () => {
  const drawn = arrow([[0, 0], [10, 0], [20, 0], [30, 0]], "arrow"); // biome-ignore format: one curve
  assert.equal(drawn.line, "M0.0,0.0C10.0,0.0 20.0,0.0 20.0,0.0");
  assert.match(drawn.head, /L30\.0,0\.0L/);
  assert.equal(arrow([[0, 0], [1, 0], [2, 0], [3, 0]], "none").head, ""); // biome-ignore format: one curve
});

test("an arrow key goes to the nearest in its direction", () => {
  const others: [string, Point][] = [["right", [50, 5]], ["far", [200, 0]], ["below", [0, 40]]]; // biome-ignore format: a list
  assert.equal(nearest([0, 0], others, "ArrowRight"), "right");
  assert.equal(nearest([0, 0], others, "ArrowDown"), "below");
  assert.equal(nearest([0, 0], others, "ArrowUp"), null);
});

test("a pinned node moves with its edges, which become straight from border to border", () => {
  const moved = pinned(PICTURE, { b: [100, 40] });
  assert.deepEqual(moved.nodes[1]!.outline, box(100, 40));
  const [first] = moved.edges[0]!.points;
  assert.deepEqual(first, border(box(0, 0), [110, 45]));
  assert.equal(moved.edges[2], PICTURE.edges[2]);
  assert.equal(pinned(PICTURE, {}), PICTURE);
});

test("a pin outside makes the drawing larger", () => {
  assert.ok(pinned(PICTURE, { b: [500, 40] }).width >= 520);
});

test("a tag goes with the edges that are cut at it, and a cut edge of a moved node ends at its tag", () => {
  const tag = { id: "t", of: "b", edges: ["ab"], role: "state", outline: box(40, 20), text: null };
  const cut = { ...PICTURE, tags: [tag], edges: PICTURE.edges.map((e) => (e.id === "ab" ? { ...e, tag: "t" } : e)) };
  const [first] = pinned(cut, { a: [0, 60] }).edges;
  assert.deepEqual(first!.points[3], border(box(40, 20), [10, 65]));
  assert.equal(collapsed(cut, new Set(["g"])).tags.length, 0);
  assert.equal(pinned(cut, { a: [0, 60] }).tags.length, 1);
});

test("a frame inside a closed one is hidden, too", () => {
  const inner = { ...PICTURE.groups[0]!, id: "h", parent: "g" };
  const nested = { ...PICTURE, groups: [...PICTURE.groups, inner] };
  assert.deepEqual(
    collapsed(nested, new Set(["g", "h"])).groups.map((each) => each.id),
    ["g"],
  );
  assert.equal(collapsed(nested, new Set(["h"])).groups.length, 2);
});

test("a closed group hides its inside, and edges end at its border", () => {
  const shut = collapsed(PICTURE, new Set(["g"]));
  assert.deepEqual(
    shut.nodes.map((each) => each.id),
    ["a"],
  );
  assert.deepEqual(
    shut.edges.map(({ id, target }) => [id, target]),
    [
      ["ab", "g"],
      ["aa", "a"],
    ],
  );
  assert.equal(shut.edges[0]!.points[3]![0], 90);
  assert.equal(collapsed(PICTURE, new Set()), PICTURE);
});
