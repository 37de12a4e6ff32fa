import { useMemo, useState } from "preact/hooks";
import { Stepper } from "./stepper.tsx";
import { Drawn, Loading, Problem } from "./told.tsx";
import type { Heard, Looks, Message, Model, Picture } from "./types.ts";
import { useLink } from "./wire.ts";

/** What a process map shows; `wfsim.widgets.flow_wire` says it. */
interface Scene {
  title: string;
  head: { said: string };
  picture: Picture | null;
  too_large: string;
  widths: Record<string, number>;
  measure: string;
  measures: { id: string; label: string }[];
  legend: string[];
  percent: number;
  variants: { label: string; cases: number; mean: string; shown: boolean }[];
  more_variants: number;
  selected: string;
  /** What the cases of the selected path passed. */
  along: Record<string, string>;
  detail: {
    title: string;
    query: string;
    rows: { run: number; case: number; time: string; dwell: string }[];
    more: boolean;
  } | null;
  stepper: string;
  compared: boolean;
}

/** The stepper inside talks over the same line: its messages say that they are for it. */
function within(model: Model): Model {
  const calls = new Map<Heard, Heard>();
  return {
    get: () => "stepper",
    send: (content, callbacks, buffers) => model.send({ ...(content as Message), for: "stepper" }, callbacks, buffers),
    on(event, call) {
      const heard: Heard = (message, buffers) => message["for"] === "stepper" && call(message, buffers);
      calls.set(call, heard);
      model.on(event, heard);
    },
    off: (event, call) => model.off(event, calls.get(call) ?? call),
  };
}

/** The rest of the line: what is not for the stepper. */
function outside(model: Model): Model {
  const calls = new Map<Heard, Heard>();
  return {
    ...model,
    get: (name) => model.get(name),
    send: (content, callbacks, buffers) => model.send(content, callbacks, buffers),
    on(event, call) {
      const heard: Heard = (message, buffers) => message["for"] === undefined && call(message, buffers);
      calls.set(call, heard);
      model.on(event, heard);
    },
    off: (event, call) => model.off(event, calls.get(call) ?? call),
  };
}

export function FlowMap({ model, looks }: { model: Model; looks: Looks }) {
  const [own, inner] = useMemo(() => [outside(model), within(model)], [model]);
  const { scene, problem, busy, ask } = useLink<Scene>(own);
  const [percent, setPercent] = useState<number | null>(null);
  if (!scene) return <Loading />;
  const live: Record<string, string> = {};
  for (const id of [...Object.keys(scene.widths), ...(scene.picture?.nodes ?? []).map((node) => node.id)])
    live[id] = "its cases";
  const { detail } = scene;
  const scale = (kind: string) => [1, 2, 3, 4, 5].map((k) => `${kind}-${k}`);
  const colours = scene.compared ? [...scale("less").reverse(), ...scale("more")] : scale("more");
  return (
    <div class="flowmap" aria-busy={busy}>
      <p class="head" role="status" aria-live="polite">
        <strong>{scene.title}</strong> <span>{scene.head.said}</span>
      </p>
      <Problem text={problem} />
      <div class="bar" role="group" aria-label="What is shown">
        {scene.measures.map((each) => (
          <button
            key={each.id}
            type="button"
            aria-pressed={scene.measure === each.id}
            onClick={() => ask("measure", { measure: each.id })}
          >
            {each.label}
          </button>
        ))}
        <label class="row">
          Paths with {percent ?? scene.percent} % of the cases{" "}
          <input
            type="range"
            min={1}
            max={100}
            value={percent ?? scene.percent}
            onInput={(event) => setPercent(Number(event.currentTarget.value))}
            onChange={(event) => {
              ask("share", { percent: Number(event.currentTarget.value) });
              setPercent(null);
            }}
          />
        </label>
      </div>
      <p class="quiet legend">
        {scene.legend.map((line) => (
          <span key={line}>{line}</span>
        ))}
        <span aria-hidden="true" class="scale">
          {colours.map((colour) => (
            <i key={colour} style={{ background: `var(--wf-${colour})` }} />
          ))}
        </span>
      </p>
      <div class="columns">
        <div class="drawings">
          <Drawn
            picture={scene.picture}
            tooLarge={scene.too_large}
            looks={looks}
            widths={scene.widths}
            live={live}
            lit={scene.along}
            only={scene.selected.startsWith("path:") && detail !== null}
            selected={scene.selected.startsWith("path:") ? null : scene.selected || null}
            label={`Process map of ${scene.title}`}
            onActivate={(id) => ask("select", { id })}
          />
        </div>
        <div class="side">
          {detail ? (
            <section aria-label="Cases">
              <p class="title">
                {detail.title}: {detail.rows.length}
                {detail.more ? " or more" : ""} {detail.rows.length === 1 ? "case" : "cases, the longest first"}
              </p>
              <details>
                <summary>SQL</summary>
                <pre>{detail.query}</pre>
              </details>
              <ul class="cases">
                {detail.rows.map((row) => (
                  <li key={`${row.run} ${row.case} ${row.time}`}>
                    <button type="button" onClick={() => ask("open", { run: row.run, case: row.case })}>
                      case {row.case}
                      {row.run > 1 && ` of run ${row.run}`}
                    </button>{" "}
                    <span class="quiet">
                      at {row.time}, {row.dwell || "still there"}
                    </span>
                  </li>
                ))}
              </ul>
            </section>
          ) : (
            <p class="quiet">Click an arrow, a state or a path for its cases.</p>
          )}
          <section aria-label="Paths">
            <p class="title">Paths</p>
            <ol class="paths">
              {scene.variants.map((each, number) => {
                const id = `path:${number}`;
                const pressed = scene.selected === id;
                const said = (
                  <>
                    <strong>{each.cases.toLocaleString("en")}</strong> {each.label}{" "}
                    <span class="quiet">{each.mean}</span>
                  </>
                );
                return (
                  <li key={id} class={each.shown ? "" : "quiet"}>
                    {each.shown ? (
                      <button
                        type="button"
                        aria-pressed={pressed}
                        title="Where its cases went"
                        onClick={() => ask("select", { id: pressed ? "" : id })}
                      >
                        {said}
                      </button>
                    ) : (
                      said
                    )}
                  </li>
                );
              })}
            </ol>
            {scene.more_variants > 0 && <p class="quiet">… {scene.more_variants} more</p>}
          </section>
        </div>
      </div>
      {scene.stepper && (
        <section class="opened" aria-label="The case">
          <div class="bar">
            <button type="button" onClick={() => ask("close")}>
              Close the case
            </button>
          </div>
          <Stepper key={scene.stepper} model={inner} looks={looks} />
        </section>
      )}
    </div>
  );
}
