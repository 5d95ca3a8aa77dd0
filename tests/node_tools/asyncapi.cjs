// Reads an AsyncAPI document with the specification's own parser: prints what is wrong with it, and what it holds.
const { readFileSync } = require("node:fs");
const { Parser } = require("@asyncapi/parser");

new Parser().parse(readFileSync(process.argv[2], "utf8")).then(({ document, diagnostics }) => {
  console.log(JSON.stringify({
    diagnostics: diagnostics.map((d) => ({ severity: d.severity, code: d.code, message: d.message, path: d.path })),
    channels: document ? document.channels().all().map((c) => c.address()) : [],
    operations: document ? document.operations().all().map((o) => o.id()) : [],
    messages: document ? document.components().messages().all().map((m) => m.id()) : [],
  }));
});
