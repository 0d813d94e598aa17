#include "app/console_page.h"

namespace tocsin {

namespace {

// Texts of telemetry are put in as text nodes, never as HTML.
constexpr const char* page = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tocsin</title>
<style>
:root { --ink: #1c2430; --soft: #667085; --line: #e4e7ec; --bad: #b42318; --good: #067647; --paper: #ffffff; --ground: #f7f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #2c3442; --bad: #f97066; --good: #47cd89; --paper: #171c26; --ground: #10141b; } }
* { box-sizing: border-box; }
body { margin: 0; font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground); }
header { display: flex; gap: 24px; align-items: baseline; padding: 16px 24px; background: var(--paper); border-bottom: 1px solid var(--line); flex-wrap: wrap; }
h1 { font-size: 18px; margin: 0; }
h2 { font-size: 13px; margin: 0 0 8px; color: var(--soft); text-transform: uppercase; letter-spacing: .05em; }
main { padding: 16px 24px; display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 16px; overflow-x: auto; }
section.wide { grid-column: 1 / -1; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 12px; }
td, th { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.firing { color: var(--bad); font-weight: 600; }
.resolved, .ok { color: var(--good); }
.soft { color: var(--soft); }
code { font-size: 12px; }
</style>
</head>
<body>
<header><h1>Tocsin</h1><span id="state" class="soft">connecting</span><span id="figures" class="soft"></span><a href="/metrics">/metrics</a></header>
<main>
<section class="wide"><h2>Firing</h2><table id="firing"></table></section>
<section class="wide"><h2>Halts</h2><table id="halts"></table></section>
<section><h2>Rules: how well they see</h2><table id="rules"></table></section>
<section><h2>Agents</h2><table id="agents"></table></section>
<section class="wide"><h2>Recent changes</h2><table id="recent"></table></section>
</main>
<script>
"use strict";
const cell = (value, kind, css) => { const e = document.createElement(kind || "td"); e.textContent = value === null || value === undefined ? "-" : String(value); if (css) e.className = css; return e; };
const fill = (id, heads, rows, empty) => {
  const table = document.getElementById(id);
  table.replaceChildren();
  if (!rows.length) { const row = table.insertRow(); row.append(cell(empty, "td", "soft")); return; }
  const head = table.insertRow();
  for (const [name, css] of heads) head.append(cell(name, "th", css));
  for (const values of rows) { const row = table.insertRow(); values.forEach((v, i) => row.append(Array.isArray(v) ? cell(v[0], "td", v[1]) : cell(v, "td", heads[i][1]))); }
};
const who = labels => Object.entries(labels).filter(([k]) => k !== "severity").map(([k, v]) => k + "=" + v).join(" ");
const figure = (v, unit) => v === null ? "-" : unit === "usd" ? "$" + v.toFixed(2) : unit === "seconds" ? Math.round(v) + " s" : Math.abs(v) < 1 && v !== 0 ? (100 * v).toFixed(1) + " %" : +v.toFixed(2);
const get = async path => { const r = await fetch(path, {cache: "no-store"}); if (!r.ok) throw new Error(r.status); return r.json(); };
const refresh = async () => {
  try {
    const [status, alerts, halts] = await Promise.all([get("/v1/status"), get("/v1/alerts"), get("/v1/halts")]);
    const state = document.getElementById("state");
    state.textContent = alerts.firing.length ? alerts.firing.length + " firing" : "quiet";
    state.className = alerts.firing.length ? "firing" : "ok";
    document.getElementById("figures").textContent = status.events.toLocaleString() + " events, " + status.tasks.toLocaleString() + " tasks, evaluated up to " + (status.evaluated || "-") + ", halts: " + status.halt_mode;
    fill("firing", [["alert"], ["since"], ["group"], ["value", "n"], ["baseline", "n"], ["what"], ["command"]], alerts.firing.map(a => [[a.alert, "firing"], a.since, who(a.labels), figure(a.value, a.unit), figure(a.baseline, a.unit), (a.silenced_by ? "silenced; " : "") + (a.halt ? a.halt + ": " : "") + (a.annotations.summary || ""), a.command]), "Nothing fires.");
    fill("halts", [["state"], ["scope"], ["first seen"], ["times", "n"], ["reason"], ["released"]], halts.halts.map(h => [[h.release ? "released" : h.state, h.release ? "ok" : "firing"], h.scope, h.first_at, h.count, h.reason, h.release ? h.release.by + ": " + h.release.reason : ""]), "No halts.");
    fill("rules", [["rule"], ["live", "n"], ["warming", "n"], ["blind", "n"], ["undeclared", "n"], ["pending", "n"], ["firing", "n"]], status.rules.map(r => [r.alert, r.live, r.warming, r.blind, r.undeclared, r.pending, [r.firing, r.firing ? "n firing" : "n"]]), "No rules.");
    fill("agents", [["agent"], ["env"], ["open", "n"], ["completed", "n"], ["surfaced", "n"], ["errored", "n"], ["timed out", "n"], ["cost", "n"]], status.agents.map(a => [a.agent, a.env, a.open_tasks, a.completed, a.surfaced, a.errored, a.timed_out, figure(a.cost_usd, "usd")]), "No agents yet.");
    fill("recent", [["time"], ["state"], ["alert"], ["group"], ["reason"]], alerts.recent.slice(0, 50).map(a => [a.time, [a.state, a.state], a.alert, who(a.labels), a.reason]), "No changes yet.");
  } catch (error) {
    const state = document.getElementById("state");
    state.textContent = "no answer (" + error.message + ")";
    state.className = "firing";
  }
  setTimeout(refresh, 2000);
};
refresh();
</script>
</body>
</html>
)html";

}  // namespace

std::string console_page() {
  return page;
}

}  // namespace tocsin
