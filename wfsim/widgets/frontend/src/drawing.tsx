import type { ComponentChild } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { around, centre, collapsed, middle, nearest } from "./geometry.ts";
import { PanZoom } from "./panzoom.ts";
import { ArrivalShape, EdgeShape, type End, Frame, Grip, NodeShape, type Shown, TagShape } from "./shapes.tsx";
import { Twin, type TwinProps } from "./twin.tsx";
import type { Box, Looks, Picture, Point } from "./types.ts";

export interface DrawingProps extends TwinProps {
  looks: Looks;
  /** Whether all that is not lit stands back. */
  only?: boolean;
  /** Widths of edges in pixels, by identifier. */
  widths?: Record<string, number>;
  /** Words for what is marked, by identifier. */
  marks?: Record<string, string>;
  selected?: string | null;
  /** What is chosen besides, to do something with all of it. */
  chosen?: ReadonlySet<string>;
  /** Whether frames can be selected, too. */
  frames?: boolean;
  onOpen?: (id: string) => void;
  /** `many`: with the Shift key. */
  onSelect?: (id: string, many: boolean) => void;
  onConnect?: (source: string, target: string) => void;
  /** An end of the selected edge was dragged to a node or group. */
  onReconnect?: (end: End, to: string) => void;
  onPin?: (id: string, at: Point) => void;
  onKey?: (event: KeyboardEvent, id: string | null) => void;
  /** A box above a node (a field to rename it in). */
  over?: { id: string; element: ComponentChild } | null;
}

const NONE = {};
const READABLE = 0.62;
const idAt = (event: Event) => (event.target as Element).closest<SVGElement>("[data-id]")?.dataset["id"] ?? null;

function useAround(picture: Picture, frames: boolean) {
  return useMemo(() => {
    const places: [string, Point][] = [];
    const boxes = new Map<string, Box>();
    const beside = new Map<string, Set<string>>();
    const extents = new Map<string, [number, number, number, number]>();
    for (const { id, box } of frames ? picture.groups : []) {
      // Its upper edge stands for it.
      boxes.set(id, { ...box, height: 26 });
      places.push([id, [box.x + box.width / 2, box.y + 13]]);
    }
    const add = (a: string, b: string) => beside.set(a, (beside.get(a) ?? new Set()).add(b));
    for (const { id, shape, outline, box: b } of picture.nodes) {
      boxes.set(id, outline);
      extents.set(id, [b.x, b.y, b.x + b.width, b.y + b.height]);
      if (shape !== "dot") places.push([id, centre(outline)]);
    }
    for (const { id, outline: b } of picture.tags) extents.set(id, [b.x, b.y, b.x + b.width, b.y + b.height]);
    for (const { id, points, text } of [...picture.edges, ...picture.arrivals]) {
      const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
      if (text) {
        xs.push(text.x, text.x + text.width);
        ys.push(text.y, text.y + text.height);
      }
      extents.set(id, [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]);
    }
    for (const { id, source, target, label, points, text } of picture.edges) {
      if (text) boxes.set(id, text);
      if (label) places.push([id, text ? centre(text) : middle(points)]);
      for (const end of [source, target]) {
        add(id, end);
        add(end, id);
      }
    }
    return { places, boxes, beside, extents };
  }, [picture, frames]);
}

/** A graph that can be walked, zoomed, searched, folded and acted on; every widget's drawing is this one. */
export function Drawing(props: DrawingProps) {
  const { lit = NONE as Record<string, string>, live = NONE as Record<string, string> } = props;
  const { tokens = NONE as Record<string, number>, marks = NONE as Record<string, string>, selected } = props;
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  /** What is dragged, and by how much, until it is drawn there. */
  const [held, setHeld] = useState<{ id: string; by: Point } | null>(null);
  const [focus, setFocus] = useState<string | null>(null);
  /** How far around what has the focus is shown; 0 for everything. */
  const [steps, setSteps] = useState(0);
  const whole = useMemo(() => collapsed(props.picture, closed), [props.picture, closed]);
  const picture = useMemo(() => {
    const lying = whole.nodes.find(({ id }) => lit[id] === "active" || lit[id] === "problem") ?? whole.nodes[0];
    return steps && lying ? around(whole, focus ?? lying.id, steps) : whole;
  }, [whole, steps, steps ? focus : null, steps ? lit : null]);
  useLayoutEffect(() => setHeld(null), [props.picture]);
  const svg = useRef<SVGSVGElement>(null);
  const layer = useRef<SVGGElement>(null);
  const zoom = useRef<PanZoom | null>(null);
  const pending = useRef<string | null>(null);
  const [rope, setRope] = useState<{ from: Point; to: Point } | null>(null);
  const [place, setPlace] = useState("");
  const [asTable, setAsTable] = useState(false);
  const [sought, setSought] = useState("");
  const { places, boxes, beside, extents } = useAround(picture, props.frames ?? false);
  const active = places.find(([id]) => lit[id] === "active" || lit[id] === "problem")?.[0];
  // Where Tab enters: what was focused last, if it is still there; else what is active; else the first.
  const entry = places.some(([id]) => id === focus) ? focus : (active ?? places[0]?.[0] ?? null);
  const found = useMemo(() => {
    const words = sought.trim().toLowerCase();
    if (!words) return [];
    const texts = whole.edges.filter((edge) => edge.text);
    return [...whole.nodes, ...texts].filter((each) => each.label.toLowerCase().includes(words)).map(({ id }) => id);
  }, [sought, whole]);

  useLayoutEffect(() => {
    if (asTable) return;
    zoom.current = new PanZoom(svg.current!, layer.current!, ({ x, y, k }) =>
      setPlace((old) => (old || props.over ? `translate(${x}px,${y}px) scale(${k})` : old)),
    );
    zoom.current.content(picture);
    const about = (steps && focus) || (active ?? places[0]?.[0]);
    const box = about === undefined ? undefined : boxes.get(about);
    zoom.current.fit(READABLE, box && centre(box));
    return () => zoom.current!.stop();
  }, [asTable, props.label, steps]);
  useLayoutEffect(() => {
    zoom.current?.content(picture);
    zoom.current?.watch(extents);
  }, [picture, asTable]);
  useEffect(() => {
    // What is active stays in view.
    const box = active === undefined ? undefined : boxes.get(active);
    if (!zoom.current) return;
    zoom.current.keep = box ?? null;
    if (box) zoom.current.show(box);
  }, [active, asTable]);
  useLayoutEffect(() => {
    // What was not in the drawing when it was gone to.
    if (pending.current) go(pending.current);
  }, [picture]);
  useEffect(() => {
    if (selected && !boxes.has(selected)) setFocus(selected);
    // What was selected elsewhere, in a drawing beside this one for instance, comes into view here.
    const box = selected ? boxes.get(selected) : undefined;
    if (box && selected !== focus) zoom.current?.show(box);
  }, [selected]);
  useEffect(() => {
    if (!props.over || !zoom.current) return;
    const { x, y, k } = zoom.current.view;
    setPlace(`translate(${x}px,${y}px) scale(${k})`);
  }, [props.over?.id]);

  const go = (id: string) => {
    setFocus(id);
    const element = svg.current?.querySelector<SVGElement>(`[data-id="${CSS.escape(id)}"]`);
    pending.current = element ? null : id;
    if (!element) return;
    zoom.current!.reveal(element);
    element.focus({ preventScroll: true });
    const box = boxes.get(id);
    if (box) zoom.current!.show(box);
  };
  const seek = () => {
    if (found.length) go(found[(found.indexOf(focus ?? "") + 1) % found.length]!);
  };
  const key = (event: KeyboardEvent) => {
    const id = idAt(event);
    if (event.shiftKey && event.key.startsWith("Arrow")) {
      const [dx, dy] = { ArrowRight: [-60, 0], ArrowLeft: [60, 0], ArrowDown: [0, -60], ArrowUp: [0, 60] }[event.key]!;
      zoom.current!.pan(dx!, dy!);
    } else if (event.key.startsWith("Arrow") && id && !event.ctrlKey) {
      const at = places.find(([name]) => name === id)?.[1];
      const near = beside.get(id); // along the graph first, over the page if nothing of it lies that way
      const along = (others: [string, Point][]) => (at ? nearest(at, others, event.key) : null);
      const next = along(places.filter(([name]) => near?.has(name))) ?? along(places.filter(([name]) => name !== id));
      if (next) go(next);
    } else if ((event.key === "Enter" || event.key === " ") && id && props.onActivate) props.onActivate(id);
    else if (event.key === "+" || event.key === "=") zoom.current!.zoom(1.25);
    else if (event.key === "-") zoom.current!.zoom(0.8);
    else if (event.key === "0") zoom.current!.fit();
    else {
      props.onKey?.(event, id);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  /** Follow the pointer until it is let go. */
  const follow = (move: (at: Point) => void, end: (at: Point) => void) => {
    const moving = (e: PointerEvent) => move(zoom.current!.point(e));
    addEventListener("pointermove", moving);
    addEventListener(
      "pointerup",
      (e) => {
        removeEventListener("pointermove", moving);
        end(zoom.current!.point(e));
      },
      { once: true },
    );
  };
  const press = (event: PointerEvent) => {
    const grip = (event.target as Element).closest<SVGElement>("[data-grip]")?.dataset;
    const id = idAt(event);
    const thing = [...picture.nodes, ...picture.groups].find((each) => each.id === id);
    if (event.button !== 0) return;
    if (grip) {
      event.preventDefault();
      const [held, end] = [grip["grip"]!, grip["end"] as End | undefined];
      const edge = picture.edges.find((each) => each.id === held);
      // The rope hangs at the end that stays.
      const from = edge ? (end === "source" ? edge.points.at(-1)! : edge.points[0]!) : centre(boxes.get(held)!);
      follow(
        (to) => setRope({ from, to }),
        ([x, y]) => {
          setRope(null);
          const inside = ({ box: b }: { box: Box }) =>
            x >= b.x && x <= b.x + b.width && y >= b.y && y <= b.y + b.height;
          const target = picture.nodes.find(inside) ?? picture.groups.findLast(inside);
          if (target && end) props.onReconnect?.(end, target.id);
          else if (target) props.onConnect?.(held, target.id);
        },
      );
    } else if (thing && props.onPin) {
      event.preventDefault();
      const [x, y] = zoom.current!.point(event);
      let moved = false;
      follow(
        (to) => {
          moved ||= Math.hypot(to[0] - x, to[1] - y) > 4;
          if (moved) setHeld({ id: thing.id, by: [to[0] - x, to[1] - y] });
        },
        (to) => moved && props.onPin!(thing.id, [thing.box.x + to[0] - x, thing.box.y + to[1] - y]),
      );
    }
  };
  const choose = (event: Event, act: boolean) => {
    const id = idAt(event);
    if (!id) return;
    setFocus(id);
    // A pointer that might have dragged it has not given it the focus.
    if (act) (event.target as Element).closest<SVGElement>("[data-id]")!.focus({ preventScroll: true });
    props.onSelect?.(id, act && (event as MouseEvent).shiftKey);
    if (act) props.onActivate?.(id);
  };
  const open = (event: Event) => {
    const id = idAt(event);
    if (id) props.onOpen?.(id);
  };
  const shown = (id: string, own: string): Shown => {
    const role = lit[id] ?? own;
    return {
      role,
      look: props.looks[role],
      live: live[id] ?? "",
      entry: entry === id,
      selected: selected === id || (props.chosen?.has(id) ?? false),
      dim: (found.length > 0 && !found.includes(id)) || (props.only === true && lit[id] === undefined),
      mark: marks[id] ?? "",
    };
  };
  const parents = useMemo(() => new Map(picture.groups.map(({ id, parent }) => [id, parent])), [picture]);
  /** By how much something is dragged, itself or with a frame around it. */
  const byOf = (id: string, around: string | null): Point | null => {
    if (!held) return null;
    if (id === held.id) return held.by;
    return around === null ? null : byOf(around, parents.get(around) ?? null);
  };
  /** The role of what is lit among edges that are cut at a tag, or arrive as one. */
  const litOf = (edges: string[]) => edges.map((id) => lit[id]).findLast((role) => role !== undefined);
  const toggle = (id: string) =>
    setClosed((old) => new Set(old.has(id) ? [...old].filter((each) => each !== id) : [...old, id]));
  /** The edge whose ends can be dragged to other nodes. */
  const line = props.onReconnect && picture.edges.find((each) => each.id === selected);
  const over = props.over && boxes.get(props.over.id);
  return (
    <div class="drawing">
      {asTable ? (
        <Twin {...props} lit={lit} live={live} tokens={tokens} />
      ) : (
        <svg
          ref={svg}
          role="group"
          aria-label={props.label}
          onKeyDown={key}
          onPointerDown={press}
          onClick={(event) => choose(event, true)}
          onDblClick={open}
          onFocusIn={(event) => choose(event, false)}
        >
          <g ref={layer}>
            {picture.groups.map((group) => (
              <Frame
                key={group.id}
                group={group}
                role={lit[group.id] ?? group.role}
                choice={props.frames ? shown(group.id, group.role) : null}
                closed={closed.has(group.id)}
                onToggle={toggle}
                by={byOf(group.id, group.parent)}
              />
            ))}
            {picture.edges.map((edge) => (
              <EdgeShape key={edge.id} edge={edge} width={props.widths?.[edge.id]} {...shown(edge.id, edge.role)} />
            ))}
            {picture.arrivals.map((arrival) => (
              <ArrivalShape key={arrival.id} arrival={arrival} role={litOf(arrival.edges) ?? arrival.role} />
            ))}
            {picture.tags.map((tag) => (
              <TagShape key={tag.id} tag={tag} role={litOf(tag.edges) ?? tag.role} onGo={go} />
            ))}
            {picture.nodes.map((node) => (
              <NodeShape
                key={node.id}
                node={node}
                tokens={node.shape === "circle" ? (tokens[node.id] ?? 0) : undefined}
                grip={Boolean(props.onConnect) && node.shape !== "double"}
                by={byOf(node.id, node.group)}
                {...shown(node.id, node.role)}
              />
            ))}
            {line && (
              <>
                <Grip at={line.points[0]!} from={line.id} end="source" hint="drag to where it begins" />
                <Grip at={line.points.at(-1)!} from={line.id} end="target" hint="drag to where it leads" />
              </>
            )}
            {rope && <line class="rope" x1={rope.from[0]} y1={rope.from[1]} x2={rope.to[0]} y2={rope.to[1]} />}
          </g>
        </svg>
      )}
      {over && (
        <div class="over" style={{ transform: place }}>
          <div style={{ left: over.x, top: over.y, width: over.width, height: over.height }}>{props.over!.element}</div>
        </div>
      )}
      <div class="tools" role="toolbar" aria-label="View">
        {!asTable && (
          <>
            <input
              type="search"
              placeholder="Find …"
              aria-label="Find a state or transition"
              value={sought}
              onInput={(event) => setSought(event.currentTarget.value)}
              onKeyDown={(event) => event.key === "Enter" && seek()}
            />
            {sought && <span class="quiet">{found.length || "none"}</span>}
            <select
              aria-label="Show"
              title="Of a large drawing what lies around the state or transition that has the focus"
              value={steps}
              onChange={(event) => setSteps(Number(event.currentTarget.value))}
            >
              <option value={0}>everything</option>
              {[1, 2, 3].map((each) => (
                <option key={each} value={each}>
                  {each} step{each > 1 && "s"} around
                </option>
              ))}
            </select>
            <button
              type="button"
              aria-label="Zoom in"
              title="Zoom in (+, Ctrl and wheel)"
              onClick={() => zoom.current!.zoom(1.25)}
            >
              +
            </button>
            <button type="button" aria-label="Zoom out" title="Zoom out (-)" onClick={() => zoom.current!.zoom(0.8)}>
              −
            </button>
            <button type="button" title="The whole drawing (0)" onClick={() => zoom.current!.fit()}>
              Whole
            </button>
          </>
        )}
        <button type="button" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          Table
        </button>
      </div>
    </div>
  );
}
