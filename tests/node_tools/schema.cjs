// Judges a YAML file by a JSON schema of the package schemastore, named by its path there: prints what is wrong with it.
const { readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const Ajv = require("ajv").default;
const yaml = require("js-yaml");

const [, , name, file] = process.argv;
const schema = JSON.parse(readFileSync(join(dirname(require.resolve("schemastore/package.json")), "schemas/json", name), "utf8"));
// Schemas of others: unknown keywords and formats in them are none of our business.
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false, unicodeRegExp: false });
const judge = ajv.compile(schema);
judge(yaml.load(readFileSync(file, "utf8")));
console.log(JSON.stringify((judge.errors || []).map((e) => `${e.instancePath || "/"} ${e.message}`)));
