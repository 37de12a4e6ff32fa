import { useEffect, useMemo, useState } from "preact/hooks";
import { Bars, type BarsData, Lines, type LinesData, type RunData } from "./charts.tsx";
import { Drawing } from "./drawing.tsx";
import { type VerdictData, Verdicts } from "./judged.tsx";
import { type KnobData, Knobs, type Stand } from "./knobs.tsx";
import type { Looks, Model, Picture } from "./types.ts";
import { useLink } from "./wire.ts";

/** What a lab shows; `wfsim.widgets.lab_wire` says it. */
interface Scene {
  title: string;
  head: { said: string; stale: boolean; trying: boolean; judging: boolean; unjudged: boolean; problem: string };
  can: { turn: boolean };
  groups: { id: string; title: string }[];
  knobs: Record<string, KnobData>;
  stands: Record<string, Stand>;
  differs: string[];
  runs: RunData[];
  charts: (BarsData | LinesData)[];
  drawn: boolean;
  picture: Picture | null;
  too_large: string;
  /** How full states are, from 1 to 5. */
  shades: Record<string, number>;
  warnings: string[];
  remarks: string[];
  verdicts: VerdictData[];
  against: string;
  comparison: { rows: DifferenceData[]; said: string } | null;
}
interface DifferenceData {
  label: string;
  first: string;
  second: string;
  difference: string;
  interval: string;
  note: string;
  clear: string;
}

/** Milliseconds until it is looked for figures again: soon while there are none of these settings. */
const SOON = 50;
const LATER = 250;
const SIGNS: Record<string, string> = { more: "▲ more", less: "▼ less" };

const shaded = (picture: Picture, shades: Record<string, number>): Picture => ({
  ...picture,
  nodes: picture.nodes.map((node) => ({ ...node, shade: shades[node.id] ?? 0 })),
});
const live = (picture: Picture) =>
  Object.fromEntries(picture.nodes.filter((node) => node.shape !== "dot").map((node) => [node.id, "follow it"]));

export function Lab({ model, looks }: { model: Model; looks: Looks }) {
  const { scene, problem, busy, ask } = useLink<Scene>(model);
  const [name, setName] = useState("");
  const picture = useMemo(() => scene?.picture && shaded(scene.picture, scene.shades), [scene?.picture, scene?.shades]);
  useEffect(() => {
    if (!scene?.can.turn) return;
    const { trying, judging, stale, said } = scene.head;
    const comparing = scene.comparison !== null && scene.comparison.rows.length === 0;
    if (!trying && !judging && !comparing) return;
    const timer = setTimeout(() => ask("look"), stale || !said ? SOON : LATER);
    return () => clearTimeout(timer);
  }, [scene]);
  if (!scene) return <p role="status">Loading …</p>;
  const { head, runs } = scene;
  const able = scene.can.turn;
  const pinned = runs.slice(1);
  const pin = () => {
    ask("pin", { name });
    setName("");
  };
  return (
    <div class="lab" aria-busy={busy}>
      <p class="head" role="status" aria-live="polite">
        <strong>{scene.title}</strong>
        <span>{head.said || "the first figures are on their way"}</span>
        {head.stale && <span class="status">of earlier settings</span>}
        {head.trying && <span class="quiet">simulating …</span>}
      </p>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {head.problem && (
        <p class="problem" role="alert">
          {head.problem} {head.said && "The charts are of earlier settings."}
        </p>
      )}
      {scene.warnings.length > 0 && (
        <div class="why" role="status">
          {scene.warnings.map((each) => (
            <p key={each}>{each}</p>
          ))}
        </div>
      )}
      <div class="columns">
        <div class="side">
          <div class="bar" role="group" aria-label="Settings as a whole">
            <button
              type="button"
              aria-disabled={!able || scene.differs.length === 0}
              onClick={() => able && scene.differs.length > 0 && ask("reset", { knob: "" })}
            >
              Reset all
            </button>
            <button type="button" aria-disabled={!able} onClick={() => able && ask("save")}>
              Save the scenario
            </button>
          </div>
          <p class="quiet differs">
            {scene.differs.length > 0 ? scene.differs.join("; ") : "Everything stands as in the files."}
          </p>
          <Knobs groups={scene.groups} knobs={scene.knobs} stands={scene.stands} able={able} busy={busy} ask={ask} />
        </div>
        <div class={`charts${head.stale ? " stale" : ""}`}>
          <Verdicts
            verdicts={scene.verdicts}
            stale={head.unjudged && scene.verdicts.length > 0}
            judging={head.judging}
            of="earlier limits"
          />
          <section aria-label="Runs">
            <ul class="runs">
              {runs.map((run) => (
                <li key={run.place} class={`run-${run.place}`}>
                  <i aria-hidden="true" /> <strong>{run.name}</strong>{" "}
                  <span class="quiet">
                    {run.place === 0 ? run.said : `${run.said}; ${run.differs.join("; ") || "as in the files"}`}
                  </span>
                  {run.place > 0 && able && (
                    <>
                      <button type="button" onClick={() => ask("take", { name: run.name })}>
                        Turn to
                      </button>
                      <button type="button" onClick={() => ask("unpin", { name: run.name })}>
                        Unpin
                      </button>
                    </>
                  )}
                </li>
              ))}
            </ul>
            {able && (
              <div class="bar">
                <label class="row">
                  Name{" "}
                  <input
                    type="text"
                    value={name}
                    placeholder="what differs"
                    onInput={(event) => setName(event.currentTarget.value)}
                    onKeyDown={(event) => event.key === "Enter" && pin()}
                  />
                </label>
                <button type="button" aria-disabled={!head.said} onClick={() => head.said && pin()}>
                  Pin this run
                </button>
                {pinned.length > 0 && (
                  <label class="row">
                    Compare now with{" "}
                    <select
                      value={scene.against}
                      onChange={(event) => ask("compare", { name: event.currentTarget.value })}
                    >
                      <option value="">nothing</option>
                      {pinned.map((run) => (
                        <option key={run.name} value={run.name}>
                          {run.name}
                        </option>
                      ))}
                    </select>
                  </label>
                )}
              </div>
            )}
          </section>
          {scene.comparison && <Differences against={scene.against} {...scene.comparison} />}
          <div class="grid">
            {scene.charts.map((chart) =>
              chart.kind === "lines" ? (
                <Lines key={chart.id} chart={chart} runs={runs} onFocus={(state) => able && ask("focus", { state })} />
              ) : (
                <Bars key={chart.id} chart={chart} runs={runs} />
              ),
            )}
          </div>
          {able && (
            <div class="bar">
              <button type="button" aria-expanded={scene.drawn} onClick={() => ask("draw", { shown: !scene.drawn })}>
                Drawing
              </button>
              {scene.drawn && (
                <span class="quiet">the stronger the border of a state, the more cases are in it on average</span>
              )}
            </div>
          )}
          {picture && (
            <Drawing
              picture={picture}
              looks={looks}
              live={live(picture)}
              label={`${scene.title}, states by how many cases are in them`}
              onActivate={(id) => ask("focus", { state: id.slice(id.indexOf(":") + 1) })}
            />
          )}
          {scene.too_large && <p class="problem">{scene.too_large}</p>}
          {scene.remarks.length > 0 && (
            <details>
              <summary>How these figures come about</summary>
              <ul>
                {scene.remarks.map((each) => (
                  <li key={each}>{each}</li>
                ))}
              </ul>
            </details>
          )}
        </div>
      </div>
    </div>
  );
}

/** What now differs in from what is pinned, pair by pair. */
function Differences({ against, rows, said }: { against: string; rows: DifferenceData[]; said: string }) {
  return (
    <section aria-label="Comparison" class="comparison">
      <table>
        <caption>Now against {against}</caption>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">{against}</th>
            <th scope="col">now</th>
            <th scope="col">difference</th>
            <th scope="col">95 % interval</th>
            <th scope="col">now it is</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.label}>
              <th scope="row">{row.label}</th>
              <td>{row.first}</td>
              <td>{row.second}</td>
              <td>{row.difference}</td>
              <td>{row.interval}</td>
              <td>{SIGNS[row.clear] ?? (row.note || "not clear")}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="quiet">{said}</p>
    </section>
  );
}
