/** The style of the documentation. One column on a phone; light or dark as the reader's system is. */
export const DOCS_CSS = `
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5b6475; --line: #dfe3ea; --paper: #fff; --panel: #f5f7fa;
  --link: #2456c7; --get: #1f7a4d; --post: #2456c7; --patch: #9a6200; --delete: #b3261e; --mark: #fff3c4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8f0; --soft: #9aa5b8; --line: #2d3443; --paper: #12161e;
  --panel: #1a202b; --link: #8fb2ff; --get: #69d19c; --post: #8fb2ff; --patch: #eab45f; --delete: #ff8f87; --mark: #3d3512; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 4rem; }
body { margin: 0; color: var(--ink); background: var(--paper); font: 1rem/1.55 system-ui, sans-serif; }
a { color: var(--link); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code, pre, textarea, input, output { font: .875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
small, .version { color: var(--soft); font-size: .875rem; font-weight: 400; }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: 1rem; z-index: 2; background: var(--paper); padding: .5rem; }
header { position: sticky; top: 0; z-index: 1; display: flex; gap: 1rem; align-items: baseline; padding: .6rem 1.25rem;
  background: var(--paper); border-bottom: 1px solid var(--line); }
header .home { font-weight: 700; font-size: 1.1rem; color: var(--ink); text-decoration: none; }
header .version { flex: 1; }
.columns { display: grid; grid-template-columns: 19rem minmax(0, 1fr); max-width: 84rem; margin: auto; }
nav { position: sticky; top: 3rem; align-self: start; max-height: calc(100vh - 3rem); overflow: auto; padding: 1rem 1.25rem; }
nav summary { display: none; }
nav h2 { margin: 1.25rem 0 .25rem; font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: flex; gap: .5rem; align-items: baseline; padding: .2rem 0; line-height: 1.35; font-size: .9rem; color: var(--ink); text-decoration: none; }
nav li a:hover { color: var(--link); }
nav .method { flex: 0 0 3.7em; } nav code { font-size: .8rem; }
main { padding: 1rem 1.5rem 6rem; min-width: 0; max-width: 60rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 1rem 0 .5rem; } h2 { margin: 3rem 0 .5rem; font-size: 1.4rem; }
h3 { margin: 0 0 .25rem; font-size: 1.05rem; overflow-wrap: anywhere; } h4 { margin: 1.25rem 0 .25rem; font-size: .95rem; }
h3 code { font-size: 1rem; } .scroll + h3 { margin-top: 2rem; }
.operation, .shape { padding: 1.5rem 0; border-top: 1px solid var(--line); }
.operation p, .summary { margin: .4rem 0; } .summary { font-weight: 600; } .summary small { margin-left: .5rem; }
.method { font: 700 .75rem/1 ui-monospace, Menlo, Consolas, monospace; color: var(--soft); }
.get { color: var(--get); } .post { color: var(--post); } .patch { color: var(--patch); } .delete { color: var(--delete); }
.anchor { opacity: 0; text-decoration: none; } h3:hover .anchor, .anchor:focus { opacity: 1; }
pre { position: relative; margin: .75rem 0; padding: .8rem 1rem; overflow: auto; background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; }
.copied { position: relative; } .copied button { position: absolute; top: .4rem; right: .4rem; }
button { font: inherit; font-size: .85rem; padding: .25rem .75rem; color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: .4rem; cursor: pointer; }
button:hover { border-color: var(--link); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; font-weight: 600; color: var(--soft); } th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child { white-space: nowrap; } 
.fields td:last-child { width: 55%; } .fields td:nth-child(2) code { white-space: nowrap; } .required { color: var(--delete); font-size: .75rem; }
.status { width: 3.5rem; font-weight: 700; } .s2 { color: var(--get); } .s4 { color: var(--patch); } .s5 { color: var(--delete); }
.code { text-decoration: none; font: .8rem ui-monospace, Menlo, Consolas, monospace; margin-right: .4rem; } .code:hover { text-decoration: underline; }
:target { background: var(--mark); } .operation:target, .shape:target { background: none; } .operation:target h3 code, .shape:target h3 { background: var(--mark); }
.try { margin-top: 1rem; } .try summary { cursor: pointer; color: var(--link); }
.try form { display: grid; gap: .4rem; margin-top: .5rem; justify-items: start; }
.try label { font-size: .85rem; color: var(--soft); }
.try input, .try textarea { width: 100%; padding: .45rem .6rem; color: var(--ink); background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; }
.try output { width: 100%; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 26rem; overflow: auto; }
.try output:not(:empty) { padding: .6rem .8rem; background: var(--panel); border-radius: .4rem; }
@media (max-width: 52rem) {
  .columns { display: block; } nav { position: static; max-height: none; border-bottom: 1px solid var(--line); }
  nav summary { display: list-item; font-weight: 600; cursor: pointer; } main { padding: 0 1rem 4rem; } header { padding: .6rem 1rem; }
}
`;
