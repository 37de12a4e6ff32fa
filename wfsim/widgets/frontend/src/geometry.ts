import type { Box, EdgeData, Picture, Point } from "./types.ts";

export const centre = (box: Box): Point => [box.x + box.width / 2, box.y + box.height / 2];
/** The point of a curve of 3k + 1 points where half of its pieces lie behind. */
export function middle(points: Point[]): Point {
  const pieces = (points.length - 1) / 3;
  const at = Math.floor(pieces / 2) * 3;
  if (pieces % 2 === 0) return points[at]!;
  const [a, b, c, d] = points.slice(at, at + 4) as [Point, Point, Point, Point];
  const half = (k: 0 | 1) => (a[k] + 3 * b[k] + 3 * c[k] + d[k]) / 8;
  return [half(0), half(1)];
}

const MARGIN = 16;

const pair = (p: Point) => `${p[0].toFixed(1)},${p[1].toFixed(1)}`;

/** Path of a cubic Bézier curve of 3k + 1 points, shortened where its head begins, and the path of the head. */
export function arrow(points: Point[], head: string): { line: string; head: string } {
  const tip = points[points.length - 1]!;
  const far = (p: Point) => Math.hypot(tip[0] - p[0], tip[1] - p[1]);
  const from = points.slice(0, -1).findLast((p) => far(p) >= 0.5) ?? points[0]!;
  const length = far(from) || 1;
  const u: Point = [(tip[0] - from[0]) / length, (tip[1] - from[1]) / length];
  const back = (by: number): Point => [tip[0] - u[0] * by, tip[1] - u[1] * by];
  const wedge = (end: Point, base: Point) => {
    const side = (s: number): Point => [base[0] - u[1] * s, base[1] + u[0] * s];
    return `M${pair(side(4.5))}L${pair(end)}L${pair(side(-4.5))}`;
  };
  const cut = { arrow: 10, double: 20, circle: 8 }[head] ?? 0;
  const line = `M${pair(points[0]!)}C${[...points.slice(1, -1), back(cut)].map(pair).join(" ")}`;
  if (head === "none") return { line, head: "" };
  if (head === "open") return { line, head: wedge(tip, back(10)) };
  if (head === "circle") {
    const [x, y] = back(4);
    return { line, head: `M${pair([x - 4, y])}a4,4 0 1 0 8,0a4,4 0 1 0 -8,0Z` };
  }
  const first = `${wedge(tip, back(10))}Z`;
  return { line, head: head === "double" ? `${first}${wedge(back(10), back(20))}Z` : first };
}

/** The nearest of `others` in the direction of an arrow key: its distance, with twice the weight on what lies beside. */
export function nearest(at: Point, others: [string, Point][], key: string): string | null {
  const [dx, dy] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key] ?? [0, 0];
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const [id, p] of others) {
    const ahead = (p[0] - at[0]) * dx! + (p[1] - at[1]) * dy!;
    const beside = Math.abs((p[0] - at[0]) * dy!) + Math.abs((p[1] - at[1]) * dx!);
    if (ahead > 1 && ahead + 2 * beside < least) {
      least = ahead + 2 * beside;
      best = id;
    }
  }
  return best;
}

/** Where the line from the centre of a box to a point crosses the border of the box. */
export function border(box: Box, to: Point): Point {
  const [x, y] = centre(box);
  const [dx, dy] = [to[0] - x, to[1] - y];
  const share = Math.min(
    dx ? box.width / 2 / Math.abs(dx) : Number.POSITIVE_INFINITY,
    dy ? box.height / 2 / Math.abs(dy) : Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(share) ? [x + dx * share, y + dy * share] : [x, y];
}

function straight(edge: EdgeData, from: Box, to: Box): EdgeData {
  const [a, b] = [border(from, centre(to)), border(to, centre(from))];
  const between = (share: number): Point => [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share];
  const [x, y] = between(0.5);
  const text = edge.text && { ...edge.text, x: x - edge.text.width / 2, y: y - edge.text.height / 2 };
  return { ...edge, points: [a, between(1 / 3), between(2 / 3), b], text };
}

/** The picture with these groups closed: each a box where it was, its inside hidden, edges ending at its border. */
export function collapsed(picture: Picture, closed: ReadonlySet<string>): Picture {
  if (!closed.size) return picture;
  const parents = new Map<string, string | null>(picture.groups.map((group) => [group.id, group.parent]));
  for (const node of picture.nodes) parents.set(node.id, node.group);
  /** The outermost closed group around (or at) this. */
  const shownAs = (id: string): string => {
    let found = id;
    for (let at: string | null = id; at !== null; at = parents.get(at) ?? null) if (closed.has(at)) found = at;
    return found;
  };
  const boxes = new Map<string, Box>(picture.groups.map((group) => [group.id, group.box]));
  for (const node of picture.nodes) boxes.set(node.id, node.outline);
  const edges: EdgeData[] = [];
  for (const edge of picture.edges) {
    const [source, target] = [shownAs(edge.source), shownAs(edge.target)];
    if (source === edge.source && target === edge.target) edges.push(edge);
    else if (source !== target)
      edges.push(straight({ ...edge, source, target, tag: null }, boxes.get(source)!, boxes.get(target)!));
  }
  const cut = new Set(edges.filter((edge) => edge.tag !== null).map((edge) => edge.id));
  const stillCut = ({ edges: through }: { edges: string[] }) => through.some((id) => cut.has(id));
  return {
    ...picture,
    edges,
    tags: picture.tags.filter(stillCut),
    arrivals: picture.arrivals.filter(stillCut),
    nodes: picture.nodes.filter((node) => shownAs(node.id) === node.id),
    groups: picture.groups.filter((group) => shownAs(group.id) === group.id),
  };
}

/** What lies at most so many edges from a node, group or edge, in either direction, with the frames around it. */
export function around(picture: Picture, from: string, steps: number): Picture {
  const parents = new Map<string, string | null>(picture.groups.map((group) => [group.id, group.parent]));
  for (const node of picture.nodes) parents.set(node.id, node.group);
  const edge = picture.edges.find((each) => each.id === from);
  if (!edge && !parents.has(from)) return picture;
  const near = new Set(edge ? [edge.source, edge.target] : [from]);
  for (let step = 0; step < steps; step++) {
    const reached = picture.edges.filter(({ source, target }) => near.has(source) || near.has(target));
    for (const { source, target } of reached) near.add(source).add(target);
  }
  const chain = (id: string): string[] => {
    const outer = parents.get(id) ?? null;
    return outer === null ? [id] : [id, ...chain(outer)];
  };
  // A group is near with all that is in it.
  const nodes = picture.nodes.filter(({ id }) => chain(id).some((each) => near.has(each)));
  const framed = new Set([...nodes.map(({ id }) => id), ...near].flatMap(chain));
  const groups = picture.groups.filter(({ id }) => framed.has(id) || chain(id).some((each) => near.has(each)));
  const shown = new Set([...nodes, ...groups].map(({ id }) => id));
  const edges = picture.edges.filter(({ source, target }) => shown.has(source) && shown.has(target));
  const drawn = new Set(edges.map(({ id }) => id));
  const stays = ({ edges: through }: { edges: string[] }) => through.some((id) => drawn.has(id));
  const [tags, arrivals] = [picture.tags.filter(stays), picture.arrivals.filter(stays)];
  const boxes: Box[] = [...nodes, ...groups, ...tags].map(({ box }) => box);
  for (const { points, text } of [...edges, ...arrivals]) {
    boxes.push(...points.map(([x, y]) => ({ x, y, width: 0, height: 0 })));
    if (text) boxes.push(text);
  }
  const [x, y] = [Math.min(...boxes.map((box) => box.x)) - MARGIN, Math.min(...boxes.map((box) => box.y)) - MARGIN];
  const width = Math.max(...boxes.map((box) => box.x + box.width)) + MARGIN - x;
  const height = Math.max(...boxes.map((box) => box.y + box.height)) + MARGIN - y;
  return { ...picture, nodes, edges, groups, tags, arrivals, x, y, width, height };
}
