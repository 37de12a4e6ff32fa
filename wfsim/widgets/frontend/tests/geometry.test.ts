import assert from "node:assert/strict";
import { test } from "node:test";
import { around, arrow, collapsed, nearest } from "../src/geometry.ts";
import type { Box, EdgeData, NodeData, Picture, Point } from "../src/types.ts";

const box = (x: number, y: number): Box => ({ x, y, width: 20, height: 10 });
const node = (id: string, x: number, y: number, group: string | null = null): NodeData => {
  const at = box(x, y);
  return {
    id,
    label: id,
    lines: [],
    shape: "rounded",
    role: "state",
    group,
    shade: 0,
    box: at,
    outline: at,
    text: null,
  };
};
const edge = (id: string, source: string, target: string): EdgeData => {
  const points: Point[] = [0, 1, 2, 3].map((k) => [k, k]);
  return {
    id,
    source,
    target,
    label: id,
    lines: [],
    style: "solid",
    head: "arrow",
    role: "event",
    shade: 0,
    tag: null,
    points,
    text: null,
  };
};
const PICTURE: Picture = {
  title: "t",
  x: 0,
  y: 0,
  width: 200,
  height: 100,
  nodes: [node("a", 0, 0), node("b", 100, 0, "g"), node("c", 100, 50, "g")],
  edges: [edge("ab", "a", "b"), edge("bc", "b", "c"), edge("aa", "a", "a")],
  tags: [],
  arrivals: [],
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

const CUT: Picture = {
  ...PICTURE,
  edges: [{ ...edge("ab", "a", "b"), tag: "to b" }, edge("bc", "b", "c")],
  tags: [
    { id: "to b", of: "b", way: "to", edges: ["ab"], role: "state", box: box(0, 20), outline: box(0, 20), text: null },
    {
      id: "at b",
      of: "b",
      way: "from",
      edges: ["ab"],
      role: "state",
      box: box(100, 20),
      outline: box(100, 20),
      text: null,
    },
  ],
  arrivals: [
    { ...edge("arrival", "", ""), edges: ["ab"], tag: "at b", target: "b", points: [[1, 1], [2, 2], [3, 3], [4, 4]] }, // biome-ignore format: a curve
  ],
};

test("an edge into a closed group is not cut any more", () => {
  const { edges, tags, arrivals } = collapsed(CUT, new Set(["g"]));
  assert.deepEqual(
    [edges.map((each) => [each.id, each.target, each.tag]), tags, arrivals],
    [[["ab", "g", null]], [], []],
  );
});

test("around something lies what a few edges lead to or from, with frames and with all of a group", () => {
  const chain = {
    ...PICTURE,
    nodes: [...PICTURE.nodes, node("d", 0, 50)],
    edges: [...PICTURE.edges, edge("da", "d", "a")],
  };
  const ids = (picture: Picture) =>
    [picture.nodes, picture.edges, picture.groups].map((all) => all.map(({ id }) => id));
  assert.deepEqual(ids(around(chain, "a", 1)), [["a", "b", "d"], ["ab", "aa", "da"], ["g"]]);
  assert.deepEqual(ids(around(chain, "da", 0)), [["a", "d"], ["aa", "da"], []]);
  assert.deepEqual(ids(around(chain, "g", 0)), [["b", "c"], ["bc"], ["g"]]);
  assert.deepEqual(ids(around(chain, "d", 2)), ids(around(chain, "a", 1)));
  const { x, y, width, height } = around(chain, "c", 1);
  assert.deepEqual([x, y, width, height], [-16, -16, 172, 112]);
  assert.equal(around(chain, "gone", 1), chain);
});
