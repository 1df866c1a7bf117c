import { mount } from "svelte";
import "../app.css";
import ReviewApp from "./ReviewApp.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("review.html has no #app");

export default mount(ReviewApp, { target });
