// How long the JavaScript validators take for one Bundle. In: {"schemas", "bundle", "rounds", "seconds"} on stdin.
// Out: {"<validator and version>": [microseconds a Bundle, one a round]}. Fails when one refuses the Bundle.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import fhirPackage from "fhir";

const { schemas, bundle, rounds, seconds } = JSON.parse(readFileSync(0, "utf8"));
const version = (name) => createRequire(import.meta.url)("./package.json").dependencies[name];
const ajv = new Ajv({ strict: false, allErrors: false, validateFormats: true });
addFormats(ajv);
for (const schema of schemas) ajv.addSchema(schema);
const check = (part) => ajv.getSchema(`https://gateway.example/fhir/r4/strict/${part.resourceType}`)(part);
const fhir = new fhirPackage.Fhir();
const serious = (m) => m.severity === "error" || m.severity === "fatal";
const acts = {
  [`ajv ${version("ajv")}, our schemas`]: () => check(bundle) && bundle.entry.every((entry) => check(entry.resource)),
  [`npm fhir ${version("fhir")}`]: () => !fhir.validate(bundle, { errorOnUnexpected: true }).messages.some(serious),
};

const rate = (act) => {
  const began = process.hrtime.bigint();
  let times = 0;
  while (process.hrtime.bigint() - began < seconds * 1e9) {
    act();
    times += 1;
  }
  return Number(process.hrtime.bigint() - began) / 1000 / times;
};
const found = {};
for (const [name, act] of Object.entries(acts)) {
  if (!act()) throw new Error(`${name} refuses the Bundle`);
  found[name] = Array.from({ length: rounds }, () => rate(act));
}
process.stdout.write(JSON.stringify(found));
