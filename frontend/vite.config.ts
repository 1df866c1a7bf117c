import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const core = process.env["MADANG_CORE"] ?? "http://127.0.0.1:8080";

/** The notices that the bundled libraries' licences ask to be passed on, as one text file beside the bundle. */
function licences(): Plugin {
  return {
    name: "madang-licences",
    apply: "build",
    generateBundle(_options, bundle) {
      const roots = new Set(["@fontsource/pretendard", "maplibre-gl"].map((name) => join("node_modules", name)));
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        for (const id of chunk.moduleIds) {
          const found = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id.replaceAll("\\", "/").replace(/^\0/, ""));
          if (found?.[1]) roots.add(found[1].slice(found[1].lastIndexOf("node_modules/")));
        }
      }
      const source = [...roots].sort().map(noticeOf).join("\n\n");
      this.emitFile({ type: "asset", fileName: "licences.txt", source });
    },
  };
}

/** The font of the screens once more under a fixed name, in a form that the PDF reports of the platform can embed. */
function reportFonts(): Plugin {
  return {
    name: "madang-report-fonts",
    apply: "build",
    generateBundle() {
      for (const weight of [400, 700]) {
        const file = join("node_modules/@fontsource/pretendard/files", `pretendard-latin-${weight}-normal.woff`);
        this.emitFile({ type: "asset", fileName: `fonts/pretendard-${weight}.woff`, source: readFileSync(file) });
      }
    },
  };
}

function noticeOf(root: string): string {
  const about = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, string>;
  const shipped = readdirSync(root).find((name) => /^licen[cs]e/i.test(name));
  // a package that leaves its licence out of what it publishes has it here, as its repository has it
  const file = shipped === undefined ? join("licences", `${about["name"]}.txt`) : join(root, shipped);
  if (!existsSync(file)) throw new Error(`${root} ships no licence text`);
  return `${"=".repeat(79)}\n${about["name"]} ${about["version"]} (${about["license"]})\n\n${readFileSync(file, "utf8")}`;
}

export default defineConfig({
  base: "/static/app/",
  plugins: [svelte(), licences(), reportFonts()],
  build: {
    outDir: "../src/madang/console/static/app",
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 1500,
    rollupOptions: { input: { index: "index.html", hub: "hub.html", facilities: "facilities.html", review: "review.html", rules: "rules.html", wall: "wall.html" } },
  },
  server: {
    proxy: {
      "/api": { target: core },
      "/v1": { target: core, ws: true },
    },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
