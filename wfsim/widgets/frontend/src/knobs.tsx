import { useLayoutEffect, useRef, useState } from "preact/hooks";

export interface KnobData {
  group: string;
  label: string;
  where: string;
  hint: string;
  original: string;
  texts: string[];
  /** Whether one of several texts is chosen, rather than a place on a slider. */
  chosen: boolean;
}
export interface Stand {
  position: number;
  text: string;
  turned: boolean;
}

interface KnobProps {
  id: string;
  knob: KnobData;
  stand: Stand;
  able: boolean;
  busy: boolean;
  ask(type: string, content: Record<string, unknown>): void;
}

/** A slider with its value as text, which may be typed as well, and the way back to what stands in the file. */
function Knob({ id, knob, stand, able, busy, ask }: KnobProps) {
  const [dragged, setDragged] = useState<number | null>(null);
  const [typed, setTyped] = useState<string | null>(null);
  const position = dragged ?? stand.position;
  const text = dragged === null ? stand.text : (knob.texts[dragged] ?? "");
  // One request at a time: while Python is at work only the last place counts.
  const asked = useRef<number | null>(null);
  useLayoutEffect(() => {
    if (dragged === null || busy) return;
    if (asked.current !== dragged && stand.text !== knob.texts[dragged]) {
      asked.current = dragged;
      ask("move", { knob: id, position: dragged });
    } else {
      asked.current = null;
      setDragged(null);
    }
  }, [dragged, busy]);
  const enter = (value: string) => {
    setTyped(null);
    if (value !== stand.text) ask("enter", { knob: id, text: value });
  };
  return (
    <div class={`knob${stand.turned ? " turned" : ""}`} data-knob={id}>
      <span class="name" title={[knob.hint, knob.where].filter(Boolean).join("\n")}>
        {knob.label}
      </span>
      {knob.chosen ? (
        <select
          aria-label={knob.label}
          disabled={!able}
          value={stand.text}
          onChange={(event) => ask("enter", { knob: id, text: event.currentTarget.value })}
        >
          {knob.texts.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      ) : (
        <>
          <input
            type="text"
            aria-label={`${knob.label}, exactly`}
            disabled={!able}
            value={typed ?? text}
            onInput={(event) => setTyped(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter") enter(event.currentTarget.value);
              else if (event.key === "Escape") setTyped(null);
            }}
            onBlur={(event) => typed !== null && enter(event.currentTarget.value)}
          />
          <input
            type="range"
            aria-label={knob.label}
            aria-valuetext={text}
            disabled={!able}
            min={0}
            max={knob.texts.length - 1}
            value={position}
            onInput={(event) => setDragged(Number(event.currentTarget.value))}
          />
        </>
      )}
      <button
        type="button"
        aria-label={`${knob.label}: back to ${knob.original}`}
        title={`back to ${knob.original}`}
        aria-disabled={!stand.turned || !able}
        onClick={() => stand.turned && able && ask("reset", { knob: id })}
      >
        ↺
      </button>
      {knob.hint && <small>{knob.hint}</small>}
    </div>
  );
}

interface KnobsProps {
  groups: { id: string; title: string }[];
  knobs: Record<string, KnobData>;
  stands: Record<string, Stand>;
  able: boolean;
  busy: boolean;
  ask(type: string, content: Record<string, unknown>): void;
}

const OPEN = new Set(["arrivals", "pools"]);

/** All knobs by group; long groups are folded, and say how many of them were turned. */
export function Knobs({ groups, knobs, stands, able, busy, ask }: KnobsProps) {
  const every = Object.entries(knobs);
  return (
    <section class="knobs" aria-label="Settings">
      {groups.map((group) => {
        const own = every.filter(([, knob]) => knob.group === group.id);
        const turned = own.filter(([id]) => stands[id]!.turned).length;
        return own.length === 0 ? null : (
          <details key={group.id} open={OPEN.has(group.id)}>
            <summary>
              {group.title} <small>{turned > 0 ? `${turned} of ${own.length} turned` : own.length}</small>
            </summary>
            {own.map(([id, knob]) => (
              <Knob key={id} id={id} knob={knob} stand={stands[id]!} able={able} busy={busy} ask={ask} />
            ))}
          </details>
        );
      })}
    </section>
  );
}
