import { mount } from "svelte";
import "../app.css";
import RulesApp from "./RulesApp.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("rules.html has no #app");

export default mount(RulesApp, { target });
