/** Style of the assessment's page, in light and dark. */
export const style = `
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6675; --line: #d9dee5; --paper: #fdfdfc; --panel: #f4f5f3; --main: #0b6e69; --plain: #56627a; --control: #a35a00; --pass: #0b6e69; --fail: #a8324a; --open: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa5b4; --line: #333b47; --paper: #14181e; --panel: #1c2129; --main: #4fc3b8; --plain: #9fb0cc; --control: #e5a54b; --pass: #4fc3b8; --fail: #f08ba0; --open: #e0bf62; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.6 ui-sans-serif, system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 48rem; margin: 0 auto; padding: 3rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 1rem; text-wrap: balance; }
h2 { font-size: 1.15rem; margin: 2.75rem 0 .75rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
h3 { font-size: .95rem; margin: 1.5rem 0 .5rem; color: var(--soft); font-weight: 600; }
p, ul { margin: .6rem 0; overflow-wrap: break-word; }
ul { padding-left: 1.2rem; }
li + li { margin-top: .35rem; }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--panel); padding: .1em .3em; border-radius: .25em; overflow-wrap: anywhere; }
.kind { margin: 0 0 .25rem; color: var(--soft); font-size: .875rem; }
.badge { display: inline-block; margin: 0 0 1rem; padding: .2rem .8rem; border: 1.5px solid currentColor; border-radius: 999px; font-weight: 600; font-size: .9rem; }
.passed { color: var(--pass); } .failed { color: var(--fail); } .inconclusive { color: var(--open); }
figure { margin: 1.25rem 0; }
figcaption { color: var(--soft); font-size: .875rem; margin-top: .35rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: var(--ink); font-variant-numeric: tabular-nums; }
svg .name { text-anchor: end; } svg .tick { text-anchor: middle; fill: var(--soft); font-size: 12px; }
svg .grid { stroke: var(--line); } svg .mark { stroke: var(--soft); stroke-dasharray: 4 3; }
svg .whisker { stroke: currentColor; stroke-width: 2.5; stroke-linecap: round; } svg .dot { fill: currentColor; stroke: var(--paper); stroke-width: 1.5; }
svg .main { color: var(--main); } svg .plain { color: var(--plain); } svg .control { color: var(--control); }
svg .scale { text-anchor: end; fill: var(--soft); font-size: 12px; }
svg .curve { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; } svg .point { fill: currentColor; }
svg .dash1 .curve { stroke-dasharray: 7 4; } svg .dash2 .curve { stroke-dasharray: 2 3; } svg .dash3 .curve { stroke-dasharray: 9 3 2 3; }
svg .hollow { fill: var(--panel); stroke: var(--line); } svg .filled { fill: var(--main); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; } thead th { color: var(--soft); font-weight: 600; } tbody th { font-weight: 500; }
summary { cursor: pointer; color: var(--soft); font-size: .875rem; }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
`;
