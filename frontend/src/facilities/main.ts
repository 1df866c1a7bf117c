import { mount } from "svelte";
import "../app.css";
import FacilitiesApp from "./FacilitiesApp.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("facilities.html has no #app");

export default mount(FacilitiesApp, { target });
