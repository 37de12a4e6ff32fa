// node build.mjs <folder>: bundle.js (everything), loader.js (what each widget carries as `_esm`) and licences.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".css": "text" },
  write: false,
  logLevel: "warning",
  legalComments: "none",
};

async function built(entry, define = {}) {
  return (await build({ ...shared, entryPoints: [entry], define })).outputFiles[0].contents;
}

const css = await build({ ...shared, entryPoints: ["src/style.css"], loader: {} });
const style = JSON.stringify(css.outputFiles[0].text.trim());
const bundle = await built("src/index.tsx", { STYLE: style });
const version = createHash("sha256").update(bundle).digest("hex").slice(0, 16);
const loader = await built("src/loader.ts", { VERSION: JSON.stringify(version) });
writeFileSync(join(out, "bundle.js"), bundle);
writeFileSync(join(out, "loader.js"), loader);
const licences = ["preact"].map((name) => {
  const at = join(here, "node_modules", name);
  const { version: number } = JSON.parse(readFileSync(join(at, "package.json"), "utf8"));
  return `${name} ${number}\n\n${readFileSync(join(at, "LICENSE"), "utf8")}`;
});
writeFileSync(join(out, "THIRD_PARTY_LICENSES.txt"), licences.join("\n\n"));
