import { mount } from "svelte";
import "../app.css";
import HubApp from "./HubApp.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("hub.html has no #app");

export default mount(HubApp, { target });
