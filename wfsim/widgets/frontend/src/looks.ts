import type { Looks } from "./types.ts";

const name = (role: string) => role.replaceAll("_", "-");

/** Style rules of all roles, for light and dark pages, from the one table of looks. */
export function rules(looks: Looks): string {
  const tones = (which: 0 | 1) =>
    Object.entries(looks)
      .map(([role, look]) => `--wf-${name(role)}:${look.line[which]};--wf-${name(role)}-in:${look.fill[which]}`)
      .join(";");
  const here = ".wfsim-live";
  const found = [
    `${here}{${tones(0)}}`,
    `@media (prefers-color-scheme:dark){${here}{${tones(1)}}}`,
    // A Jupyter page declares its theme, whatever the browser prefers.
    `[data-jp-theme-light="true"] ${here}{${tones(0)}}`,
    `[data-jp-theme-light="false"] ${here}{${tones(1)}}`,
  ];
  const lit = [];
  for (const [role, look] of Object.entries(looks)) {
    const of = name(role);
    const line = `stroke:var(--wf-${of});stroke-width:${look.width}`;
    const dash = look.dash ? `;stroke-dasharray:${look.dash}` : "";
    found.push(
      `${here} .n.${of} .body{${line}${dash};fill:var(--wf-${of}-in)}`,
      `${here} .n.${of} .inner{stroke:var(--wf-${of})}`,
      `${here} .e.${of} .line{${line}${dash}}`,
      `${here} :is(.n,.e).${of} .solid{fill:var(--wf-${of})}`,
    );
    lit.push(
      `${here} :is(.e.lit-${of} .line,.f.lit-${of} > rect){${line}}`,
      `${here} .e.lit-${of} .solid{fill:var(--wf-${of})}`,
    );
  }
  return [...found, ...lit].join("\n");
}
