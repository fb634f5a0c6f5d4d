// What the browser adds to pages that work without it. Pages load this one module; each part says what it does.
// Handed: server-rendered HTML. It never reads log text as anything but text.
import "./frame.js";
import "./alert.js";
import "./panel.js";
import "./triage.js";
import "./bulk.js";
import "./shortcuts.js";
import "./palette.js";
import { fillSheets } from "./keys.js";

fillSheets();
