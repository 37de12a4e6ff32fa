import { memo } from "preact/compat";
import { useMemo } from "preact/hooks";
import { arrow, middle } from "./geometry.ts";
import type { ArrivalData, EdgeData, GroupData, Looks, NodeData, Point, TagData, Text } from "./types.ts";

const name = (role: string) => role.replaceAll("_", "-");
const LINE = 1.3;
const BADGE = "M-8 0A8 8 0 1 0 8 0A8 8 0 1 0 -8 0Z";
const MOST_DOTS = 5;
const DOTS: Record<number, Point[]> = {
  1: [[0, 0]],
  2: [
    [-7, 0],
    [7, 0],
  ],
  3: [
    [0, -7],
    [-7, 5],
    [7, 5],
  ],
  4: [
    [-6.5, -6.5],
    [6.5, -6.5],
    [-6.5, 6.5],
    [6.5, 6.5],
  ],
  5: [
    [-8, -8],
    [8, -8],
    [0, 0],
    [-8, 8],
    [8, 8],
  ],
};

const shadeOf = (shade: number) => (shade ? `var(--wf-${shade > 0 ? "more" : "less"}-${Math.abs(shade)})` : undefined);
const dragged = (by: Point | null) => (by ? `translate(${by[0]} ${by[1]})` : undefined);
const wordsOf = (text: Text | null) => (text?.lines ?? []).map((line) => line.text).join(" ");

function Words({ text, start = false }: { text: Text | null; start?: boolean }) {
  if (!text) return null;
  let y = text.y;
  const x = start ? text.x : text.x + text.width / 2;
  return (
    <text text-anchor={start ? "start" : "middle"}>
      {text.lines.map((line) => {
        const at = y + 0.98 * line.size;
        y += line.size * LINE;
        return (
          <tspan key={at} x={x} y={at} font-size={line.size}>
            {line.text}{" "}
          </tspan>
        );
      })}
    </text>
  );
}

function Badge({ look, at }: { look: Looks[string] | undefined; at: Point }) {
  if (!look?.badge) return null;
  return (
    <g transform={`translate(${at[0]} ${at[1]})`}>
      <path class="solid" d={BADGE} />
      <path class="glyph" d={look.badge} />
    </g>
  );
}

/** What an arrow is drawn from, or one of its ends is held at: small to see, large enough to press. */
export function Grip({ at, from, end, hint }: { at: Point; from: string; end?: End; hint: string }) {
  return (
    <g class="grip" data-grip={from} data-end={end} transform={`translate(${at[0]} ${at[1]})`}>
      <title>{hint}</title>
      <circle class="grasp" r={12} />
      <circle class="knob" r={7} />
    </g>
  );
}
export type End = "source" | "target";

export interface Shown {
  role: string;
  look: Looks[string] | undefined;
  /** What Enter or a click lets happen here; nothing if empty. */
  live: string;
  entry: boolean;
  selected: boolean;
  dim: boolean;
  /** A word for what is marked here (a breakpoint, a finding). */
  mark: string;
}
/** A node looks as its role now; an edge keeps the dashes of its own, so that a lit timer is still a timer. */
const classes = (kind: string, roles: string, { live, selected, dim }: Shown) =>
  [kind, roles, live && "live", selected && "selected", dim && "dim"].filter(Boolean).join(" ");
const litAs = (role: string, own: string) => (role === own ? "" : ` lit-${name(role)}`);
const said = (parts: (string | false)[]) => parts.filter(Boolean).join(". ");

interface NodeProps extends Shown {
  node: NodeData;
  tokens: number | undefined;
  grip: boolean;
  /** By how much it is dragged. */
  by: Point | null;
}
export const NodeShape = memo((props: NodeProps) => {
  const { node, tokens, live, mark } = props;
  const { x, y, width, height } = node.outline;
  const [cx, cy] = [x + width / 2, y + height / 2];
  const shaded = node.shade ? { stroke: shadeOf(node.shade), strokeWidth: 4 } : undefined;
  if (node.shape === "dot") return <circle class="n start" cx={cx} cy={cy} r={width / 2 - 1} />;
  const words = wordsOf(node.text);
  const count = tokens === undefined ? "" : `${tokens} token${tokens === 1 ? "" : "s"}`;
  return (
    <g
      class={classes("n", name(props.role), props)}
      data-id={node.id}
      transform={dragged(props.by)}
      tabindex={props.entry ? 0 : -1}
      role="button"
      aria-disabled={!live}
      aria-label={said([words || node.label, count, props.role.replaceAll("_", " "), mark, live && `Enter: ${live}`])}
    >
      {node.shape === "circle" ? (
        <circle class="body" cx={cx} cy={cy} r={width / 2} style={shaded} />
      ) : (
        <rect
          class="body"
          x={x}
          y={y}
          width={width}
          height={height}
          rx={node.shape === "box" ? 0 : 10}
          style={shaded}
        />
      )}
      {node.shape === "double" && (
        <rect class="inner" x={x + 4} y={y + 4} width={width - 8} height={height - 8} rx={7} />
      )}
      {tokens !== undefined && tokens > 0 && tokens <= MOST_DOTS
        ? DOTS[tokens]!.map(([dx, dy]) => <circle key={`${dx}`} class="token" cx={cx + dx} cy={cy + dy} r={4} />)
        : tokens !== undefined &&
          tokens > 0 && (
            <text text-anchor="middle" x={cx} y={cy + 4} font-size={12}>
              {tokens}
            </text>
          )}
      <Words text={node.text} />
      <Badge look={props.look} at={[x + width - 3, y + 3]} />
      {mark && <circle class="mark" cx={x + 3} cy={y + 3} r={6} />}
      {props.grip && <Grip at={[cx, y + height + 2]} from={node.id} hint="drag to connect" />}
    </g>
  );
});

/** What stands for a node where a way to it, or from it, is cut; the node is one click away. */
export const TagShape = memo(({ tag, role, onGo }: { tag: TagData; role: string; onGo(id: string): void }) => {
  const { x, y, width, height } = tag.outline;
  return (
    <g
      class={`n tag ${name(role)}`}
      data-part={tag.id}
      role="button"
      tabindex={-1}
      aria-label={`${wordsOf(tag.text)}: go to ${last(tag.of)}`}
      onClick={() => onGo(tag.of)}
      onKeyDown={(event) => event.key === "Enter" && onGo(tag.of)}
    >
      <rect class="body" x={x} y={y} width={width} height={height} rx={height / 2} />
      <Words text={tag.text} />
    </g>
  );
});

export const ArrivalShape = memo(({ arrival, role }: { arrival: ArrivalData; role: string }) => {
  const drawn = useMemo(() => arrow(arrival.points, arrival.head), [arrival.points, arrival.head]);
  return (
    <g class={`e ${name(arrival.role)} ${arrival.style}${litAs(role, arrival.role)}`} data-part={arrival.id}>
      <path class="line" d={drawn.line} />
      {drawn.head && <path class={arrival.head === "open" ? "line tip" : "solid"} d={drawn.head} />}
      <Words text={arrival.text} />
    </g>
  );
});

const last = (id: string) => id.slice(id.indexOf(":") + 1);

export const EdgeShape = memo((props: Shown & { edge: EdgeData; width: number | undefined }) => {
  const { edge, live, mark, role } = props;
  const drawn = useMemo(() => arrow(edge.points, edge.head), [edge.points, edge.head]);
  const style = { strokeWidth: props.width, stroke: shadeOf(edge.shade) };
  const words = [edge.label, ...edge.lines].join(" ") || "transition";
  return (
    <g
      class={classes("e", `${name(edge.role)} ${edge.style}${litAs(role, edge.role)}`, props)}
      data-id={edge.id}
      tabindex={props.entry ? 0 : -1}
      role="button"
      aria-disabled={!live}
      aria-label={said([
        words,
        `from ${last(edge.source)} to ${last(edge.target)}`,
        role !== edge.role && role.replaceAll("_", " "),
        mark,
        live && `Enter: ${live}`,
      ])}
    >
      <path class="reach" d={drawn.line} />
      <path class="line" d={drawn.line} style={style} />
      {drawn.head && (
        <path
          class={edge.head === "open" ? "line tip" : "solid"}
          d={drawn.head}
          style={{ fill: edge.head === "open" ? undefined : shadeOf(edge.shade) }}
        />
      )}
      <Words text={edge.text} />
      {mark && <circle class="mark" cx={middle(edge.points)[0]} cy={middle(edge.points)[1]} r={6} />}
      {role !== edge.role && role !== "visited" && <Badge look={props.look} at={middle(edge.points)} />}
    </g>
  );
});

interface FrameProps {
  group: GroupData;
  role: string;
  /** How it can be chosen, if it can. */
  choice: { entry: boolean; selected: boolean; mark: string } | null;
  closed: boolean;
  onToggle: ((id: string) => void) | undefined;
  /** By how much it is dragged. */
  by: Point | null;
}
export const Frame = memo(({ group, role, choice, closed, onToggle, by }: FrameProps) => (
  <g
    class={`f${litAs(role, group.role)}${closed ? " closed" : ""}${choice?.selected ? " selected" : ""}`}
    data-group={group.id}
    transform={dragged(by)}
  >
    <rect x={group.box.x} y={group.box.y} width={group.box.width} height={group.box.height} rx={12} />
    {choice ? (
      <g
        class="name"
        data-id={group.id}
        role="button"
        tabindex={choice.entry ? 0 : -1}
        aria-label={said([group.label, group.id.startsWith("region:") ? "region" : "state with regions", choice.mark])}
      >
        {/* A place to press that is as wide as the frame, beside what folds it. */}
        <rect class="grasp" x={group.box.x} y={group.box.y} width={Math.max(24, group.box.width - 36)} height={26} />
        <Words text={group.text} start />
        {choice.mark && <circle class="mark" cx={group.box.x + 3} cy={group.box.y + 3} r={6} />}
      </g>
    ) : (
      <Words text={group.text} start />
    )}
    {onToggle && (
      <g
        class="toggle"
        role="button"
        tabindex={0}
        aria-expanded={!closed}
        aria-label={`Region ${group.label}`}
        onClick={() => onToggle(group.id)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          onToggle(group.id);
        }}
      >
        <rect x={group.box.x + group.box.width - 30} y={group.box.y + 4} width={24} height={24} rx={4} />
        <path
          d={`M${group.box.x + group.box.width - 24} ${group.box.y + 16}h12${closed ? "m-6 -6v12" : ""}`}
          class="line"
        />
      </g>
    )}
  </g>
));
