import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const core = process.env["MADANG_CORE"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/static/app/",
  plugins: [svelte()],
  build: {
    outDir: "../src/madang/console/static/app",
    emptyOutDir: true,
    manifest: true,
    target: "es2022",
    chunkSizeWarningLimit: 1500,
  },
  server: {
    proxy: {
      "/api": { target: core, changeOrigin: false },
    },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
