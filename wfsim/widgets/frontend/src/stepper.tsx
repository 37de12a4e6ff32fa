import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type ActionData, Actions, type Typed } from "./actions.tsx";
import { Drawing } from "./drawing.tsx";
import {
  type BranchData,
  Branches,
  Breakpoints,
  type SectionData,
  Sections,
  type VariableData,
  Variables,
} from "./facts.tsx";
import { type StepData, Timeline } from "./timeline.tsx";
import { Drawn, Loading, Problem } from "./told.tsx";
import type { Looks, Model, Picture } from "./types.ts";
import { useLink } from "./wire.ts";

/** What a stepper shows; `wfsim.widgets.stepper_wire` and `token_wire` say it. */
interface Scene {
  title: string;
  picture: Picture | null;
  too_large: string;
  why: string;
  lit: Record<string, string>;
  tokens: Record<string, number>;
  marks: Record<string, string>;
  head: { status: string; where: string; time: string; cursor: number; length: number; said: string; stopped: string };
  actions: Record<string, ActionData>;
  order: string[];
  /** What the variables are called: those of a workflow, or the tokens of a net. */
  values: string;
  variables: Record<string, VariableData>;
  steps: Record<string, StepData>;
  records: string[];
  sections: SectionData[];
  family: { id: string; label: string }[];
  branches: BranchData[];
  breakpoints: string[];
  exports: { id: string; label: string }[];
  can: { delay: boolean; breakpoints: boolean; net: boolean; act: boolean };
  net: { picture: Picture; lit: Record<string, string>; tokens: Record<string, number> } | null;
  twins: Record<string, string[]>;
}

/** Keeps the focus inside `root` when what has it goes away with a step. */
function useKeptFocus(root: { current: HTMLElement | null }, changed: unknown) {
  const had = useRef<Element | null>(null);
  useEffect(() => {
    const element = root.current!;
    const focused = (event: FocusEvent) => {
      had.current = event.target as Element;
    };
    const left = (event: FocusEvent) => {
      if (event.relatedTarget) had.current = null;
    };
    element.addEventListener("focusin", focused);
    element.addEventListener("focusout", left);
    return () => {
      element.removeEventListener("focusin", focused);
      element.removeEventListener("focusout", left);
    };
  }, []);
  useLayoutEffect(() => {
    if (!had.current || had.current.isConnected) return;
    const find = (which: string) => root.current!.querySelector<HTMLElement>(which);
    (find("[data-next] button") ?? find("[data-back]"))?.focus({ preventScroll: true });
  }, [changed]);
}

export function Stepper({ model, looks }: { model: Model; looks: Looks }) {
  const { scene, problem, busy, ask, refuse } = useLink<Scene>(model);
  const root = useRef<HTMLDivElement>(null);
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(1);
  const [delay, setDelay] = useState("");
  const [selected, setSelected] = useState<string | null>(null);
  const [typed, setTyped] = useState<Typed>({});
  useKeptFocus(root, scene);
  useEffect(() => {
    if (!playing || !scene) return;
    if (scene.head.stopped) {
      setPlaying(false);
      return;
    }
    const timer = setTimeout(() => ask("next"), 1000 / speed);
    return () => clearTimeout(timer);
  }, [playing, speed, scene]);
  useEffect(() => {
    if (problem) setPlaying(false);
  }, [problem]);
  const live = useMemo(() => {
    const found: Record<string, string> = {};
    for (const id of scene?.order ?? []) {
      const action = scene!.actions[id]!;
      if (action.enabled)
        for (const at of action.at) found[at] = found[at] ? `${found[at]}, ${action.label}` : action.label;
    }
    return found;
  }, [scene?.actions, scene?.order]);
  if (!scene) {
    return (
      <div ref={root} class="stepper">
        <Loading />
      </div>
    );
  }
  const { head } = scene;
  const actions = scene.order.map((id) => scene.actions[id]!);
  const fire = (action: ActionData) => {
    setPlaying(false);
    if (action.enabled) ask("do", { action: action.id, values: typed[action.id] ?? {}, delay });
    else refuse(`${action.label} cannot happen now: ${action.reason}`);
  };
  const jump = (to: number) => {
    setPlaying(false);
    if (to >= 0 && to <= head.length && to !== head.cursor) ask("jump", { to });
  };
  const activate = (id: string) => {
    const here = actions.filter((each) => each.enabled && each.at.includes(id));
    if (here.length === 1) fire(here[0]!);
    else if (here.length > 1) {
      refuse(`${here.length} things can happen here: ${here.map((each) => each.label).join(", ")}. Choose one.`);
      root.current!.querySelector<HTMLElement>(`[data-action="${CSS.escape(here[0]!.id)}"]`)?.focus();
    }
  };
  const twinOf = (id: string | null, inNet: boolean) => {
    if (id === null) return null;
    if (inNet) return scene.twins[id]?.[0] ?? id;
    return Object.entries(scene.twins).find(([, places]) => places.includes(id))?.[0] ?? id;
  };
  const key = (event: KeyboardEvent, id: string | null) => {
    if (event.key !== "b" || !id?.startsWith("state:") || !scene.can.breakpoints) return;
    ask("breakpoint", { at: id.slice("state:".length) });
    event.preventDefault();
  };
  const play = () => {
    if (!playing) ask("next");
    setPlaying(!playing);
  };
  return (
    <div ref={root} class="stepper" aria-busy={busy}>
      {scene.family.length > 0 && (
        <div class="bar">
          {scene.family.map((each) => (
            <button key={each.id} type="button" onClick={() => ask("family", { to: each.id })}>
              {each.label}
            </button>
          ))}
        </div>
      )}
      {scene.why && (
        <p class="why">
          <strong>Why it is shown: </strong>
          {scene.why}
        </p>
      )}
      <Timeline
        head={head}
        steps={scene.steps}
        playing={playing}
        speed={speed}
        onPlay={play}
        onSpeed={setSpeed}
        onJump={jump}
      />
      <p class="head" role="status" aria-live="polite">
        <strong>{scene.title}</strong> <span class={`status ${head.status.split(" ")[0]}`}>{head.status}</span>
        {head.where && (
          <>
            {" "}
            in <strong>{head.where}</strong>
          </>
        )}
        {head.time && <span class="quiet"> at {head.time}</span>}
        <span class="said">{head.said}</span>
        {head.stopped && <span class="stopped">{head.stopped}</span>}
      </p>
      <Problem text={problem} />
      <div class="columns">
        <div class="drawings">
          <Drawn
            picture={scene.picture}
            tooLarge={scene.too_large}
            looks={looks}
            lit={scene.lit}
            live={live}
            tokens={scene.tokens}
            marks={scene.marks}
            selected={twinOf(selected, false)}
            label={`Drawing of ${scene.title}`}
            onActivate={activate}
            onSelect={setSelected}
            onKey={key}
          />
          {scene.net && (
            <Drawing
              picture={scene.net.picture}
              looks={looks}
              lit={scene.net.lit}
              tokens={scene.net.tokens}
              selected={twinOf(selected, true)}
              label={`Net of ${scene.title}`}
              onSelect={setSelected}
            />
          )}
        </div>
        <div class="side">
          {scene.can.act && <Actions actions={actions} typed={typed} onTyped={setTyped} onFire={fire} />}
          {scene.can.delay && (
            <label class="row">
              What you choose takes{" "}
              <input
                size={8}
                placeholder="1s"
                value={delay}
                title="How long it takes until what you choose happens: 90s, 2h, 14d"
                onInput={(event) => setDelay(event.currentTarget.value)}
              />
            </label>
          )}
          <Variables title={scene.values} variables={scene.variables} />
          <Sections sections={scene.sections} />
          {scene.records.length > 0 && (
            <details>
              <summary>Records of this step ({scene.records.length})</summary>
              <ul class="records">
                {scene.records.map((record) => (
                  <li key={record}>{record}</li>
                ))}
              </ul>
            </details>
          )}
          {scene.can.breakpoints && (
            <Breakpoints points={scene.breakpoints} onToggle={(at) => ask("breakpoint", { at })} />
          )}
        </div>
      </div>
      <Branches branches={scene.branches} onTake={(to) => ask("branch", { to })} />
      <div class="bar">
        {scene.can.net && (
          <button
            type="button"
            aria-pressed={scene.net !== null}
            onClick={() => ask("net", { shown: scene.net === null })}
          >
            Net beside
          </button>
        )}
        {scene.exports.map((each) => (
          <button key={each.id} type="button" onClick={() => ask("export", { what: each.id })}>
            {each.label}
          </button>
        ))}
      </div>
    </div>
  );
}
