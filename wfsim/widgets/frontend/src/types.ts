/** What anywidget gives; the harness and a saved page have one of their own. */
export interface Model {
  get(name: string): unknown;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  on(event: "msg:custom", callback: Heard): void;
  off(event: "msg:custom", callback: Heard): void;
}
export type Message = { type: string; seq?: number; [name: string]: unknown };
export type Heard = (message: Message, buffers: DataView[]) => void;

export type Point = [number, number];
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
export interface Text extends Box {
  lines: { text: string; size: number }[];
}
/** Fields are those of `Picture.to_dict` in Python, which says what each means. */
export interface NodeData {
  id: string;
  label: string;
  lines: string[];
  shape: string;
  role: string;
  group: string | null;
  /** How much of something there is, or below zero how much less; `more-3` and `less-3` are among the looks. */
  shade: number;
  box: Box;
  outline: Box;
  text: Text | null;
}
export interface EdgeData {
  id: string;
  source: string;
  target: string;
  label: string;
  lines: string[];
  style: string;
  head: string;
  role: string;
  shade: number;
  /** The tag at which it ends, if it is cut. */
  tag?: string | null;
  points: Point[];
  text: Text | null;
}
/** A small box that stands for a node at a cut through edges, in place of the way there. */
export interface TagData {
  id: string;
  of: string;
  way: "to" | "from";
  edges: string[];
  role: string;
  box: Box;
  outline: Box;
  text: Text | null;
}
/** From a tag to the node that edges which are cut lead to. */
export interface ArrivalData {
  id: string;
  edges: string[];
  tag: string;
  target: string;
  role: string;
  style: string;
  head: string;
  points: Point[];
  text: Text | null;
}
export interface GroupData {
  id: string;
  label: string;
  parent: string | null;
  role: string;
  box: Box;
  text: Text | null;
}
export interface Picture extends Box {
  title: string;
  nodes: NodeData[];
  edges: EdgeData[];
  groups: GroupData[];
  tags: TagData[];
  arrivals: ArrivalData[];
}

/** How roles look; `wfsim.drawing.roles` is the one table of it, and is sent with the bundle. */
export interface Looks {
  [role: string]: {
    line: [string, string];
    fill: [string, string];
    width: number;
    dash: string;
    badge: string | null;
  };
}
