import { mount } from "svelte";
import "../app.css";
import WallApp from "./WallApp.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("wall.html has no #app");

export default mount(WallApp, { target });
